/* What a worker counts for /metrics: by resource, never by person. Told once a second, as what came
 * to it since; what could not be told is told the next time. */
#include "worker/worker.h"

enum { TELL_MS = 1000 };

Err tally_begin(Worker *w)
{
    void *mem;

    TRY(arena_array(&w->arena, w->config.policy.resources.count, sizeof *w->tallies, &mem));
    w->tallies = mem;
    for (size_t i = 0; i < w->config.policy.resources.count; i++)
        w->tallies[i] = (Tally){ .resource = (uint32_t)i };
    return OK;
}

static Tally *tally_of(Session *s)
{
    return &s->worker->tallies[target_index(s->target)];
}

void tally_command(Session *s, Ruling ruling)
{
    Tally *t = tally_of(s);

    t->allowed += ruling == RULING_ALLOW;
    t->held += ruling == RULING_HOLD;
    t->denied += ruling == RULING_DENY;
}

void tally_receipt(Session *s, const Receipt *receipt)
{
    tally_of(s)->masked += receipt->cells_masked;
}

void tally_bytes(Session *s, uint64_t bytes)
{
    if (s->target != NULL)
        tally_of(s)->recorded += bytes;
}

static bool is_empty(const Tally *t)
{
    return t->allowed == 0 && t->held == 0 && t->denied == 0 && t->masked == 0 && t->recorded == 0;
}

static void tell_tally(Worker *w, Tally *t)
{
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, 256);
    if (pack_tally(&body, t) == OK && channel_tell(w->keeper, ASK_TALLY, buf_view(&body), -1) == OK)
        *t = (Tally){ .resource = t->resource };
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

void tally_tick(Worker *w)
{
    if (now_ms(w) - w->tallied_ms < TELL_MS || !channel_is_open(w->keeper))
        return;
    w->tallied_ms = now_ms(w);
    for (size_t i = 0; i < w->config.policy.resources.count; i++)
        if (!is_empty(&w->tallies[i]))
            tell_tally(w, &w->tallies[i]);
    tell_syncs(w);
}
