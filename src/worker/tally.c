/* What a worker counts for /metrics: by resource, never by person. Told once a second, as what came
 * to it since; what could not be told is told the next time. */
#include "worker/edition.h"
#include "worker/target.h"

enum { TELL_MS = 1000 };

void tally_command(Session *s, Ruling ruling)
{
    Tally *t = &s->target->tally;

    t->allowed += ruling == RULING_ALLOW;
    t->held += ruling == RULING_HOLD;
    t->denied += ruling == RULING_DENY;
}

void tally_receipt(Session *s, const Receipt *receipt)
{
    s->target->tally.masked += receipt->cells_masked;
}

void tally_bytes(Session *s, uint64_t bytes)
{
    if (s->target != NULL)
        s->target->tally.recorded += bytes;
}

static bool is_empty(const Tally *t)
{
    return t->allowed == 0 && t->held == 0 && t->denied == 0 && t->masked == 0 && t->recorded == 0;
}

void tally_tell(Target *t)
{
    CLEANUP(buf_done) Buf body = { 0 };
    Tally m = t->tally;

    if (is_empty(&m))
        return;
    m.resource = target_resource(t)->name;
    buf_init(&body, 1024);
    if (pack_tally(&body, &m) == OK &&
        channel_tell(t->worker->keeper, ASK_TALLY, buf_view(&body), -1) == OK)
        t->tally = (Tally){ 0 };
}

static void tell_syncs(Worker *w)
{
    CLEANUP(buf_done) Buf times = { 0 };
    CLEANUP(buf_done) Buf body = { 0 };
    const Histogram latest = recorder_take_syncs(&w->recorder);

    histogram_merge(&w->syncs, &latest);
    buf_init(&times, 256);
    buf_init(&body, 256);
    if (histogram_count(&w->syncs) == 0 || histogram_pack(&w->syncs, &times) != OK)
        return;
    const Syncs m = { .times = buf_view(&times) };
    if (pack_syncs(&body, &m) == OK &&
        channel_tell(w->keeper, ASK_SYNCS, buf_view(&body), -1) == OK)
        w->syncs = (Histogram){ 0 };
}

/* What sessions of a resource that was taken away still counted is told before it is freed. */
static void tell_retired(WorkerEdition *e)
{
    for (; e != NULL; e = e->older)
        for (Target *t = e->retired; t != NULL; t = t->next_retired)
            tally_tell(t);
}

void tally_tick(Worker *w)
{
    if (now_ms(w) - w->tallied_ms < TELL_MS || !channel_is_open(w->keeper))
        return;
    w->tallied_ms = now_ms(w);
    for (size_t i = 0; i < w->edition->config.policy.resources.count; i++)
        tally_tell(w->edition->targets[i]);
    tell_retired(w->edition);
    tell_syncs(w);
}
