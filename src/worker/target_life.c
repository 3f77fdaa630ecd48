/* A target comes with the first edition that names it, and goes with the last. */
#include "worker/target.h"

#include "worker/leg.h"

#include <stdlib.h>

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
