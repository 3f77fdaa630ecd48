/* What a session keeps between two statements. A buffer that a busy session fills again at once is
 * left to it; after a second without a turn its empty ones go, and what can be computed anew. */
#include "worker/worker.h"

#include <malloc.h>

enum {
    LOOK_MS = 250,
    IDLE_MS = 1000,
    /* The heap's free pages go back after so many sessions have come to rest: it takes a
     * millisecond or so, and a busy worker never gets there. */
    TRIM_SESSIONS = 64,
    TRIM_MS = 5000,
};

static void release(Buf *b)
{
    if (b->cap > 0 && buf_len(b) == 0)
        buf_release(b);
}

void session_rest(Session *s)
{
    Wire *wire = &s->gate.wire;

    release(&wire->from_client);
    release(&wire->to_server);
    release(&wire->from_server);
    release(&wire->to_client);
    release(&s->receipts);
    aead_rest(&s->audit.aead);
    aead_rest(&s->content.aead);
    for (size_t i = 0; i < s->phi_keys.count; i++)
        siv_rest(&s->phi_keys.keys[i].siv);
    if (s->phase != SESSION_OPEN)
        return;
    pg_rest(&s->pg);
    arena_done(&s->ruler.words);
    if (!s->holding)
        arena_done(&s->held_words);
}

static bool may_rest(const Session *s)
{
    return !s->resting && !s->ready && (s->phase == SESSION_OPEN || s->phase == SESSION_WAITING) &&
           s->gate.wait == GATE_RUNS && s->parse_job == NULL &&
           now_ms(s->worker) - s->stepped_ms >= IDLE_MS;
}

static void give_back(Worker *w)
{
    if (w->rested < TRIM_SESSIONS || now_ms(w) - w->trimmed_ms < TRIM_MS)
        return;
    w->rested = 0;
    w->trimmed_ms = now_ms(w);
    (void)malloc_trim(0);
}

void idle_tick(Worker *w)
{
    if (now_ms(w) - w->rested_ms < LOOK_MS)
        return;
    w->rested_ms = now_ms(w);
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (may_rest(s)) {
            session_rest(s);
            s->resting = true;
            w->rested++;
        }
    give_back(w);
}
