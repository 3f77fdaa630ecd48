/* reload: the supervisor reads the file and asks everybody; who called waits for the outcome. */
#include "keeper/admin_call.h"

#include "base/encode.h"
#include "base/text.h"

#include <stdlib.h>

static Err put_done(AdminRun *run, const ReloadAnswer *a)
{
    CLEANUP(buf_done) Buf hash = { 0 };

    buf_init(&hash, 128);
    TRY(hex_encode(VIEW(run->keeper->edition->policy_hash.bytes), &hash));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_u64(&j, "epoch", a->epoch);
    json_write_string(&j, "policy_hash", buf_view(&hash));
    json_write_string(&j, "words", a->words);
    json_write_object_end(&j);
    return json_write_end(&j);
}

/* As long as they are: each mistake with its place. */
static Err put_refused(AdminRun *run, const ReloadAnswer *a)
{
    CLEANUP(buf_done) Buf message = { 0 };

    buf_init(&message, a->words.len + 128);
    TRY(text_format(&message, "%.*s\nnothing changed; the gateway goes on as before",
                    SHOW(a->words)));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_string(&j, "message", buf_view(&message));
    json_write_u64(&j, "epoch", a->epoch);
    json_write_object_end(&j);
    run->exit_status = a->exit_status == ADMIN_USAGE ? ADMIN_USAGE : ADMIN_FAILED;
    return json_write_end(&j);
}

static void finish(void *ctx, const ChannelMessage *m)
{
    AdminRun *run = ctx;
    ReloadAnswer a;

    if (m == NULL || unpack_reload_answer(m->body, &a) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "the gateway is stopping");
    else if ((a.ok != 0 ? put_done(run, &a) : put_refused(run, &a)) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "what came of it is too long to be told; see the log");
    admin_finish(run);
    free(run);
}

Err admin_reload(AdminRun *run)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const ReloadAsk ask = { .asked_by = utf8_upto(run->caller, 64) };

    if (run->keeper->supervisor == NULL)
        return admin_fail(run, ADMIN_FAILED, "there is nobody to read the configuration");
    buf_init(&body, 256);
    TRY(pack_reload_ask(&body, &ask));
    AdminRun *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return ERR_LIMIT;
    *kept = *run;
    const Err err = channel_ask(run->keeper->supervisor, ASK_RELOAD, buf_view(&body), finish, kept);
    if (err != OK) {
        free(kept);
        return err;
    }
    run->later = true; /* arena and result went with the copy */
    return OK;
}
