/* drain: the supervisor tells the workers; how many sessions are left is known here. */
#include "keeper/admin_call.h"

#include "base/text.h"

#include <stdlib.h>

static Err put_state(AdminRun *run, bool draining)
{
    uint64_t sessions;

    TRY(store_session_live_count(run->keeper->store, &sessions));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_bool(&j, "draining", draining);
    json_write_u64(&j, "sessions_live", sessions);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static void finish(void *ctx, const ChannelMessage *m)
{
    AdminRun *run = ctx;
    Drain state;

    if (m == NULL || unpack_drain(m->body, &state) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "the gateway is stopping");
    else if (put_state(run, state.on != 0) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "the state cannot be read");
    admin_finish(run);
    free(run);
}

static Err ask(AdminRun *run, DrainWish wish)
{
    CLEANUP(buf_done) Buf body = { 0 };

    if (run->keeper->supervisor == NULL)
        return admin_fail(run, ADMIN_FAILED, "there is nobody to tell the workers");
    buf_init(&body, 16);
    TRY(pack_drain_all(&body, &(DrainAll){ .wish = (uint8_t)wish }));
    AdminRun *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return ERR_LIMIT;
    *kept = *run;
    const Err err =
        channel_ask(run->keeper->supervisor, ASK_DRAIN_ALL, buf_view(&body), finish, kept);
    if (err != OK) {
        free(kept);
        return err;
    }
    run->later = true; /* arena and result went with the copy */
    return OK;
}

Err admin_drain(AdminRun *run)
{
    return ask(run, DRAIN_BEGIN);
}

Err admin_drain_end(AdminRun *run)
{
    return ask(run, DRAIN_END);
}

Err admin_drain_state(AdminRun *run)
{
    return ask(run, DRAIN_ASK);
}
