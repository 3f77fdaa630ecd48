/* explain: would it be allowed, masked, held? A worker judges, the keeper says for whom. */
#include "keeper/admin_call.h"

#include "base/text.h"
#include "keeper/admin.h"
#include "model/limits.h"
#include "sys/log.h"

#include <stdlib.h>

/* Its own text in an answer is not repeated, so the question is what has to fit. */
enum { TEXT_MAX = LIMIT_HELD_TEXT, GROUPS_MAX = 32 << 10 };

/* A worker gives a target 10 s, and says so itself; whoever says nothing is stuck. */
enum { PATIENCE_S = 12 };

typedef struct Explaining {
    struct Explaining *next;
    AdminRun run;
    Channel *worker;
    uint64_t deadline_mono_ns;
} Explaining;

/* The caller, or to administrators whoever they name. */
static Err find_subject(AdminRun *run, Identity *ret)
{
    const Bytes as = admin_argument(run, "as");
    StoreUser user;

    if (run->who == ADMIN_IDENTITY && (as.len == 0 || text_eq(as, run->caller))) {
        *ret = run->identity.who;
        return OK;
    }
    if (run->who != ADMIN_ADMINISTRATOR)
        return admin_fail(run, ADMIN_REFUSED,
                          "only administrators may explain for somebody else than themselves");
    if (as.len == 0)
        return admin_fail(run, ADMIN_USAGE,
                          "an administrator has no role of a caller: say for whom with --as");
    if (admin_record_access(run) != OK)
        return admin_fail(run, ADMIN_FAILED,
                          "CHP-5201: recording is not possible, so nothing was done");
    const Err err = keeper_identity(run->keeper, as, &run->arena, ret, &user);
    if (err == ERR_MORE)
        return admin_fail(run, ADMIN_USAGE, "%.*s is unknown, disabled or expired",
                          SHOW(utf8_upto(as, 128)));
    return err;
}

static Err pack_question(Bytes resource, const Identity *who, Bytes text, Buf *out)
{
    CLEANUP(buf_done) Buf groups = { 0 };
    ExplainAsk ask = { .resource = resource,
                       .identity_kind = (uint8_t)who->kind,
                       .name = who->name,
                       .owner = who->owner,
                       .text = text };

    buf_init(&groups, GROUPS_MAX);
    for (size_t i = 0; i < who->group_count; i++)
        TRY(pack_item(&groups, who->groups[i]));
    ask.groups.packed = buf_view(&groups);
    return pack_explain_ask(out, &ask);
}

static void finish(Explaining *e)
{
    for (Explaining **at = &e->run.keeper->explaining; *at != NULL; at = &(*at)->next) {
        if (*at != e)
            continue;
        *at = e->next;
        break;
    }
    admin_finish(&e->run);
    free(e);
}

static void on_answer(void *ctx, const ChannelMessage *m)
{
    Explaining *e = ctx;
    AdminRun *run = &e->run;
    ExplainAnswer a;

    if (m == NULL || unpack_explain_answer(m->body, &a) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "the worker that was asked ended; try again");
    else if (a.ok == 0)
        (void)admin_fail(run, ADMIN_TARGET, "%.*s", SHOW(a.why));
    else if (buf_append(&run->result, a.json) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "the explanation is too long");
    finish(e);
}

void admin_tick(Keeper *k)
{
    for (Explaining *e = k->explaining, *next; e != NULL; e = next) {
        next = e->next;
        if (k->now.mono_ns < e->deadline_mono_ns)
            continue;
        channel_forget(e->worker, e);
        (void)admin_fail(&e->run, ADMIN_FAILED,
                         "the worker that was asked did not answer within %d s; try again",
                         (int)PATIENCE_S);
        log_line(LOG_WARN, "explain", "a worker did not answer within %d s", (int)PATIENCE_S);
        finish(e);
    }
}

static Channel *any_worker(const Keeper *k)
{
    for (const KeeperPeer *p = k->peers; p != NULL; p = p->next)
        if (p->party == PARTY_WORKER && !p->gone && p->channel != NULL &&
            channel_is_open(p->channel))
            return p->channel;
    return NULL;
}

static Err ask_worker(AdminRun *run, Bytes question)
{
    Channel *worker = any_worker(run->keeper);

    if (worker == NULL)
        return admin_fail(run, ADMIN_FAILED, "no worker is there to judge it; try again");
    Explaining *e = malloc(sizeof *e);
    if (e == NULL)
        return ERR_LIMIT;
    *e = (Explaining){ .next = run->keeper->explaining,
                       .run = *run,
                       .worker = worker,
                       .deadline_mono_ns =
                           run->keeper->now.mono_ns + (uint64_t)PATIENCE_S * 1000000000 };
    const Err err = channel_ask(worker, ASK_EXPLAIN, question, on_answer, e);
    if (err != OK) {
        free(e);
        return err;
    }
    run->keeper->explaining = e;
    run->later = true; /* arena and result went with the copy */
    return OK;
}

Err admin_explain(AdminRun *run)
{
    CLEANUP(buf_done) Buf question = { 0 };
    const Policy *policy = &run->keeper->edition->config.policy;
    const Bytes name = admin_argument(run, "resource"), text = admin_argument(run, "sql");
    const Resource *resource = policy_resource(policy, name);
    Identity who;

    TRY(find_subject(run, &who));
    if (resource == NULL)
        return admin_fail(run, ADMIN_USAGE, "no resource is named %.*s",
                          SHOW(utf8_upto(name, 128)));
    if (text.len == 0 || text.len > TEXT_MAX)
        return admin_fail(run, ADMIN_USAGE, "sql is a text of 1 to %d bytes", (int)TEXT_MAX);
    buf_init(&question, LIMIT_IPC_MESSAGE - 64);
    TRY(pack_question(resource->name, &who, text, &question));
    return ask_worker(run, buf_view(&question));
}
