/* A target comes with the first edition that names it, and goes with the last. */
#include "worker/target.h"

#include "base/text.h"
#include "worker/edition.h"
#include "worker/leg.h"

#include <stdlib.h>

enum { TRY_AGAIN_MS = 2000 };

Err target_new(Worker *w, Target **ret)
{
    Target *t = calloc(1, sizeof *t);

    if (t == NULL)
        return ERR_LIMIT;
    *t = (Target){ .worker = w, .fd = -1 };
    buf_init(&t->wire.from_server, TARGET_ROW_MAX + LEG_READ_BYTES + 16);
    buf_init(&t->wire.to_server, 1 << 20);
    route_restart(&t->route);
    buf_init(&t->fingerprint, 1024);
    buf_init(&t->last_fingerprint, 1024);
    for (size_t k = 0; k < CATALOGUE_COUNT; k++)
        buf_init(&t->rows.rows[k], CATALOGUE_ROWS_MAX);
    *ret = t;
    return OK;
}

void target_retire(Target *t)
{
    target_hang_up(t, NULL);
    t->retired = true;
    explains_give_up(t);
}

void target_free(Target *t)
{
    target_hang_up(t, NULL);
    if (t->worker->supervisor != NULL)
        channel_forget(t->worker->supervisor, t);
    if (t->worker->keeper != NULL)
        channel_forget(t->worker->keeper, t);
    target_views_done(t);
    parameters_drop(t->parameters);
    tally_tell(t);
    route_done(&t->route);
    buf_done(&t->wire.from_server);
    buf_done(&t->wire.to_server);
    buf_done(&t->fingerprint);
    buf_done(&t->last_fingerprint);
    for (size_t k = 0; k < CATALOGUE_COUNT; k++)
        buf_done(&t->rows.rows[k]);
    free(t);
}

const Resource *target_resource(const Target *t)
{
    return t->resource;
}

uint32_t target_index(const Target *t)
{
    return t->index;
}

Target *target_of(Worker *w, Bytes resource)
{
    const WorkerEdition *e = w->edition;

    for (size_t i = 0; i < e->config.policy.resources.count; i++)
        if (text_eq(e->config.policy.resources.at[i].name, resource))
            return e->targets[i];
    return NULL;
}

bool target_may_try_again(Target *t)
{
    const uint64_t now = now_ms(t->worker);

    if (t->tried_again_ms != 0 && now - t->tried_again_ms < TRY_AGAIN_MS)
        return false;
    t->tried_again_ms = now;
    return true;
}
