#include "proto/pg/pg_withhold.h"

#include "proto/pg/pg_copy_in.h"
#include "proto/pg/pg_write.h"

const Fault PG_ROW_TOO_LONG = {
    .code = CHP_5202,
    .fact = LIT_INIT("a row is longer than 1 MiB and cannot be masked; the result is withheld"),
    .next = LIT_INIT("select fewer or shorter columns"),
};
const Fault PG_ROW_UNMASKABLE = {
    .code = CHP_5202,
    .fact = LIT_INIT("a value has no lawful mask; the result is withheld"),
};
const Fault PG_SHAPE_DISAGREES = {
    .code = CHP_5202,
    .fact = LIT_INIT("the target's answer is not what the statement says; the result is withheld"),
};

const Fault PG_PAST_UNDOING = {
    .code = CHP_5202,
    .fact =
        LIT_INIT("a result is withheld, but what was sent with it is done and cannot be undone; "
                 "the session ends"),
};

static bool ready_is_due(const Pg *pg)
{
    for (size_t i = 0; i < pg->queue.count; i++) {
        const PgExpect expect = pg_queue_at(&pg->queue, i)->expect;

        if (expect == EXPECT_QUERY || expect == EXPECT_SYNC)
            return true;
    }
    return false;
}

static Err withhold(Pg *pg, Wire *wire, const Fault *why, Bytes id)
{
    pg->why = why;
    pg->why_id = id;
    if (ready_is_due(pg)) {
        pg->withheld = WITHHELD_TO_READY;
        return OK;
    }
    pg->withheld = WITHHELD_TO_STAND_IN;
    pg->phase = PG_SKIPPING;
    return pg_stand_in(pg, wire, false, why, id);
}

Err pg_withhold(Pg *pg, Wire *wire, const Fault *why)
{
    return withhold(pg, wire, why, (Bytes){ 0 });
}

static Bytes take(Bytes *rest, size_t len)
{
    const Bytes text = bytes_upto(*rest, len);

    *rest = bytes_from(*rest, len);
    return text;
}

/* The caller's words die with its turn; the answer ends later. */
static Err keep_words(Pg *pg, const Fault *fault, Bytes id, Bytes *ret_id)
{
    const Bytes texts[] = { fault->rule, fault->fact, fault->next, id };

    buf_truncate(&pg->words, 0);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        TRY(buf_append(&pg->words, texts[i]));
    Bytes rest = buf_view(&pg->words);
    pg->stopped = (Fault){ .code = fault->code };
    pg->stopped.rule = take(&rest, fault->rule.len);
    pg->stopped.fact = take(&rest, fault->fact.len);
    pg->stopped.next = take(&rest, fault->next.len);
    *ret_id = rest;
    return OK;
}

/* Only what is sending rows: a statement that runs and has sent none is not meant. */
static bool streams(const Pg *pg)
{
    const PgAwaited *e = pg_queue_head(&pg->queue);

    return e != NULL && (e->expect == EXPECT_QUERY || e->expect == EXPECT_EXECUTE) && !e->failed &&
           e->run != NULL && e->run->receipt.rows > 0;
}

Err pg_stop(void *state, Wire *wire, const Fault *fault, Bytes id, bool *ret_stopped)
{
    Pg *pg = state;
    Bytes kept;

    *ret_stopped = pg->phase == PG_COPYING;
    if (pg->phase == PG_COPYING) {
        TRY(keep_words(pg, fault, id, &kept));
        return pg_copy_refuse(pg, wire, &pg->stopped, kept);
    }
    if (pg->phase == PG_ENDED || pg->withheld != WITHHELD_NOTHING || !streams(pg))
        return OK;
    TRY(keep_words(pg, fault, id, &kept));
    TRY(withhold(pg, wire, &pg->stopped, kept));
    *ret_stopped = true;
    return OK;
}

/* By statement, as far as its text tells. */
static PgLasting lasting_of(const Statement *s)
{
    static const unsigned BEYOND_ROLLBACK =
        EFFECT_ADMIN | EFFECT_FILE | EFFECT_NET | EFFECT_OS | EFFECT_REPL;

    if ((s->effects & BEYOND_ROLLBACK) != 0)
        return LASTS;
    switch (s->kind) {
    case STATEMENT_SELECT:
    case STATEMENT_COPY_TO:
    case STATEMENT_SHOW:
    case STATEMENT_EXPLAIN:
    case STATEMENT_FETCH:
    case STATEMENT_EXECUTE:
        return (s->effects & ~(unsigned)EFFECT_READ) == 0 ? LASTS_NOT : LASTS_UNTIL_ROLLBACK;
    case STATEMENT_OTHER:
    case STATEMENT_INSERT:
    case STATEMENT_COPY_FROM:
    case STATEMENT_UPDATE:
    case STATEMENT_DELETE:
    case STATEMENT_MERGE:
    case STATEMENT_TRUNCATE:
    case STATEMENT_LISTEN:
    case STATEMENT_SET:
    case STATEMENT_RESET:
        return LASTS_UNTIL_ROLLBACK;
    case STATEMENT_BEGIN:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_PREPARE:
    case STATEMENT_DEALLOCATE:
    case STATEMENT_DECLARE:
    case STATEMENT_CLOSE:
    case STATEMENT_DISCARD:
    case STATEMENT_CALL: /* may commit inside */
    case STATEMENT_DO:
        break;
    }
    return LASTS;
}

Err pg_withhold_ran(Pg *pg, const PgRun *run)
{
    PgLasting lasting = LASTS;

    if (run->judged != NULL && run->statement < run->judged->meaning->statement_count)
        lasting = lasting_of(&run->judged->meaning->statements[run->statement]);
    if (lasting > pg->lasting)
        pg->lasting = lasting;
    /* It would not have run, had the statement before it failed. */
    return pg->withheld != WITHHELD_NOTHING && lasting == LASTS ? pg_withhold_ends(pg) : OK;
}

Err pg_withhold_ends(Pg *pg)
{
    pg->why = &PG_PAST_UNDOING;
    return ERR_REFUSED;
}

Err pg_withhold_failed(Pg *pg, Wire *wire)
{
    pg->withheld = WITHHELD_NOTHING;
    return pg_fault(&wire->to_client, pg->why, pg->why_id);
}

Err pg_withhold_ready(Pg *pg, Wire *wire, Bytes ready)
{
    pg->withheld = WITHHELD_NOTHING;
    if (pg->status == 'T') /* what came behind it, pipelined, has run in that transaction */
        return pg->queue.count > 0 ? pg_withhold_ends(pg)
                                   : pg_stand_in(pg, wire, true, pg->why, pg->why_id);
    if (pg->lasting != LASTS_NOT)
        return pg_withhold_ends(pg); /* committed */
    TRY(pg_fault(&wire->to_client, pg->why, pg->why_id));
    return buf_append(&wire->to_client, ready);
}
