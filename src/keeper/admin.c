#include "keeper/admin.h"

#include "base/text.h"
#include "keeper/admin_call.h"
#include "model/limits.h"
#include "sys/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { RUN_ARENA = 8 << 20, RESULT_MAX = LIMIT_IPC_MESSAGE - 1024, WORDS_MAX = 1024 };

static const AdminEntry TABLE[] = {
    { "status", ADMIN_ANYBODY, false, admin_status },
    { "whoami", ADMIN_ANYBODY, false, admin_whoami },
    /* For oneself; an administrator for anybody, and then it writes an admin.access record. */
    { "explain", ADMIN_ANYBODY, false, admin_explain },
    { "reload", ADMIN_ADMINISTRATOR, true, admin_reload },
    { "config.running", ADMIN_ADMINISTRATOR, false, admin_config_running },
    { "drain", ADMIN_ADMINISTRATOR, true, admin_drain },
    { "drain.end", ADMIN_ADMINISTRATOR, true, admin_drain_end },
    { "drain.state", ADMIN_ADMINISTRATOR, false, admin_drain_state },
    { "audit.checkpoint", ADMIN_ADMINISTRATOR, true, admin_checkpoint },
    { "user.add", ADMIN_ADMINISTRATOR, true, admin_user_add },
    { "user.ls", ADMIN_ADMINISTRATOR, false, admin_user_ls },
    { "user.passwd", ADMIN_ANYBODY, true, admin_user_passwd },
    { "user.disable", ADMIN_ADMINISTRATOR, true, admin_user_disable },
    { "user.enable", ADMIN_ADMINISTRATOR, true, admin_user_enable },
    { "user.rm", ADMIN_ADMINISTRATOR, true, admin_user_rm },
    { "user.groups", ADMIN_ADMINISTRATOR, true, admin_user_groups },
    { "agent.add", ADMIN_ADMINISTRATOR, true, admin_agent_add },
    { "agent.ls", ADMIN_ADMINISTRATOR, false, admin_agent_ls },
    { "agent.show", ADMIN_ADMINISTRATOR, false, admin_agent_show },
    { "agent.pause", ADMIN_ADMINISTRATOR, true, admin_agent_pause },
    { "agent.resume", ADMIN_ADMINISTRATOR, true, admin_agent_resume },
    { "agent.delete", ADMIN_ADMINISTRATOR, true, admin_agent_delete },
    { "agent.token", ADMIN_ADMINISTRATOR, true, admin_agent_token },
    { "token.create", ADMIN_ANYBODY, true, admin_token_create },
    { "token.ls", ADMIN_ANYBODY, false, admin_token_ls },
    { "token.revoke", ADMIN_ANYBODY, true, admin_token_revoke },
    /* Administrators configure, they never approve. */
    { "approvals", ADMIN_IDENTITY, false, admin_approvals },
    { "approve", ADMIN_IDENTITY, true, admin_approve },
    { "deny", ADMIN_IDENTITY, true, admin_deny },
    { "request.ls", ADMIN_ANYBODY, false, admin_request_ls },
    { "request.show", ADMIN_ANYBODY, false, admin_request_show },
    { "request.withdraw", ADMIN_IDENTITY, true, admin_request_withdraw },
    { "session.ls", ADMIN_ANYBODY, false, admin_session_ls },
    { "session.show", ADMIN_ANYBODY, false, admin_session_show },
    { "session.kill", ADMIN_ANYBODY, true, admin_session_kill },
    /* What a session saw is for its owner, reviewers and auditors, not for administrators. It
     * writes an evidence.access record itself. */
    { "session.read", ADMIN_IDENTITY, false, admin_session_read },
};

const AdminEntry *admin_entry(Bytes name)
{
    for (size_t i = 0; i < COUNT_OF(TABLE); i++)
        if (text_eq(text_of(TABLE[i].name), name))
            return &TABLE[i];
    return NULL;
}

bool admin_may(const AdminEntry *entry, AdminWho who)
{
    return (entry->who & who) != 0;
}

/* --- arguments ---------------------------------------------------------------------------- */

bool admin_next_argument(const AdminRun *run, const char *key, PackList *at, Bytes *ret)
{
    Bytes name, value;

    if (at->packed.ptr == NULL)
        *at = run->arguments;
    while (pack_next(at, &name) && pack_next(at, &value)) {
        if (!text_eq(name, text_of(key)))
            continue;
        *ret = value;
        return true;
    }
    return false;
}

Bytes admin_argument(const AdminRun *run, const char *key)
{
    PackList at = { 0 };
    Bytes value = { 0 };

    return admin_next_argument(run, key, &at, &value) ? value : (Bytes){ 0 };
}

uint64_t admin_argument_u64(const AdminRun *run, const char *key)
{
    uint64_t value;

    return text_u64(admin_argument(run, key), INT64_MAX, &value) == OK ? value : 0;
}

/* --- results ------------------------------------------------------------------------------ */

Err admin_fail(AdminRun *run, AdminExit exit_status, const char *format, ...)
{
    char words[WORDS_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    buf_truncate(&run->result, 0);
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_string(&j, "message", text_of(words));
    json_write_object_end(&j);
    run->exit_status = exit_status;
    return ERR_REFUSED;
}

Err admin_result_ok(AdminRun *run)
{
    return buf_append(&run->result, LIT("{\"ok\":true}"));
}

static KeeperPeer *console_of(const AdminRun *run)
{
    for (KeeperPeer *p = run->keeper->peers; p != NULL; p = p->next)
        if (p->party == PARTY_CONSOLE && p->channel != NULL && id_eq(&p->writer, &run->console))
            return p;
    return NULL;
}

Err admin_part(AdminRun *run, Bytes json)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const KeeperPeer *console = console_of(run);
    const AdminPart part = { run->call, json };

    if (console == NULL)
        return ERR_IO;
    buf_init(&body, LIMIT_IPC_MESSAGE - 64);
    TRY(pack_admin_part(&body, &part));
    return channel_tell(console->channel, ASK_ADMIN_PART, buf_view(&body), -1);
}

void admin_finish(AdminRun *run)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const KeeperPeer *console = console_of(run);
    const AdminAnswer answer = { run->call, (uint32_t)run->exit_status, buf_view(&run->result) };

    buf_init(&body, LIMIT_IPC_MESSAGE - 64);
    if (console != NULL &&
        (pack_admin_answer(&body, &answer) != OK ||
         channel_tell(console->channel, ASK_ADMIN_DONE, buf_view(&body), -1) != OK))
        log_line(LOG_ERROR, "admin", "an answer could not be sent");
    buf_done(&run->result);
    arena_done(&run->arena);
}

/* --- doing -------------------------------------------------------------------------------- */

static void put_arguments(const AdminRun *run, Json *j)
{
    PackList at = run->arguments;
    Bytes key, value;

    json_write_array(j, "arguments");
    while (pack_next(&at, &key) && pack_next(&at, &value)) {
        json_write_string(j, NULL, key);
        json_write_string(j, NULL, text_eq(key, LIT("password")) ? LIT("(not recorded)") : value);
    }
    json_write_array_end(j);
}

Err admin_record_access(AdminRun *run)
{
    CLEANUP(buf_done) Buf payload = { 0 };

    buf_init(&payload, 2 * LIMIT_IPC_MESSAGE);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "call", run->name);
    json_write_string(&j, "caller", run->caller);
    json_write_string(&j, "as",
                      run->who == ADMIN_ADMINISTRATOR ? LIT("administrator") : LIT("identity"));
    put_arguments(run, &j);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_ADMIN_ACCESS,
                               .actor = run->caller,
                               .target = run->name,
                               .payload = buf_view(&payload),
                               .wait = true };
    return diary_write(&run->keeper->diary, &entry, run->keeper->now, NULL);
}

void admin_do(AdminRun *run)
{
    const AdminEntry *entry = admin_entry(run->name);

    if (entry == NULL) {
        (void)admin_fail(run, ADMIN_USAGE, "no such call");
        return;
    }
    if (!admin_may(entry, run->who)) {
        (void)(run->who == ADMIN_ADMINISTRATOR
                   ? admin_fail(run, ADMIN_SIGN_IN,
                                "administrators configure, they do not approve or watch: this "
                                "needs a person's own token")
                   : admin_fail(run, ADMIN_REFUSED, "only administrators may do this"));
        return;
    }
    if (entry->changes && admin_record_access(run) != OK) {
        (void)admin_fail(run, ADMIN_FAILED,
                         "CHP-5201: recording is not possible, so nothing was done");
        return;
    }
    const Err err = entry->fn(run);
    if (err != OK && run->exit_status == ADMIN_DONE)
        (void)admin_fail(run, ADMIN_FAILED, "the state cannot be read or written: %s",
                         store_why(run->keeper->store));
}

Err admin_take(KeeperPeer *peer, const ChannelMessage *m)
{
    AdminCall call;

    TRY(unpack_admin_call(m->body, &call));
    AdminRun run = { .keeper = peer->keeper,
                     .call = call.call,
                     .console = peer->writer,
                     .name = call.name,
                     .token = call.token,
                     .arguments = call.arguments };
    arena_init(&run.arena, RUN_ARENA);
    buf_init(&run.result, RESULT_MAX);
    if (admin_sign_in(&run, m->fd) == OK)
        admin_do(&run);
    else if (run.exit_status == ADMIN_DONE)
        (void)admin_fail(&run, ADMIN_FAILED, "the state cannot be read");
    if (!run.later)
        admin_finish(&run);
    return OK;
}
