/* The server's side: each answer is matched with what was asked, rows are masked, errors
 * scrubbed. An answer that nothing asked for ends the session. */
#include "proto/pg/pg.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_copy.h"
#include "proto/pg/pg_copy_in.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_rows.h"
#include "proto/pg/pg_scrub.h"
#include "proto/pg/pg_startup.h"
#include "proto/pg/pg_table.h"
#include "proto/pg/pg_withhold.h"
#include "proto/pg/pg_write.h"

enum {
    ROW_DROPPED_MAX = 1 << 30, /* MaxAllocSize: PostgreSQL cannot make a longer message */
    ROW_KEPT = 64 << 10,
};

static bool withheld(const Pg *pg)
{
    return pg->withheld != WITHHELD_NOTHING;
}

static void done(Pg *pg, PgRun *run, Bytes tag, bool failed)
{
    if (run == NULL)
        return;
    run->receipt.tag = tag;
    run->receipt.failed = failed;
    pg->ports.receipt(pg->ports.ctx, &run->receipt);
    run->receipt = (Receipt){ 0 };
}

/* --- names that came or went with a completed statement ---------------------------- */

static Err declare(Pg *pg, const Statement *s, uint64_t seq)
{
    PgStatement *statement;
    PgRun *cursor;

    if (s->kind == STATEMENT_PREPARE)
        return pg_statement_put(&pg->names, s->name, s->inner, &statement);
    TRY(pg_run_new(&pg->queue, NULL, &cursor));
    cursor->bound_at = seq;
    cursor->holds = s->holds;
    Err err = buf_append(&cursor->kept_text, s->inner);
    if (err == OK)
        err = pg_portal_put(&pg->names, s->name, cursor);
    pg_run_drop(&pg->queue, cursor);
    return err;
}

static void end_names(Pg *pg, const Statement *s)
{
    const bool all = text_eq(s->name, LIT("all")) || s->name.len == 0;

    if (s->kind == STATEMENT_DISCARD) {
        if (!all)
            return; /* PLANS, SEQUENCES, TEMP: no names */
        pg_statements_clear(&pg->names);
        pg_portals_clear(&pg->names);
    } else if (s->kind == STATEMENT_DEALLOCATE) {
        if (all)
            pg_statements_clear(&pg->names);
        else
            pg_statement_remove(&pg->names, s->name);
    } else if (all) {
        pg_portals_clear(&pg->names);
    } else {
        pg_portal_remove(&pg->names, s->name);
    }
}

static Err completed(Pg *pg, const PgAwaited *e, Bytes tag)
{
    PgRun *run = e->run;

    if (text_eq(tag, LIT("COMMIT")) || text_eq(tag, LIT("ROLLBACK")))
        pg->rolled_back = tag.ptr[0] == 'R'; /* ROLLBACK TO says the same; a COMMIT follows */
    if (run->judged == NULL || run->statement >= run->judged->meaning->statement_count)
        return OK;
    const Statement *s = &run->judged->meaning->statements[run->statement];
    const RowSource source = { run->judged, run->statement };

    pg->ports.completed(pg->ports.ctx, &source);
    if (s->kind == STATEMENT_PREPARE || s->kind == STATEMENT_DECLARE)
        return declare(pg, s, e->seq);
    if (s->kind == STATEMENT_DEALLOCATE || s->kind == STATEMENT_CLOSE ||
        s->kind == STATEMENT_DISCARD)
        end_names(pg, s);
    return OK;
}

/* --- one answer ---------------------------------------------------------------------- */

/* A message that never reached its purpose takes the name it would have given with it. */
static void undo(Pg *pg, const PgAwaited *e)
{
    if (e->on_success || e->stand_in)
        return;
    const PgStatement *s = pg_statement(&pg->names, buf_view(&e->name));
    if (e->expect == EXPECT_PARSE && s != NULL && !s->confirmed && s->made_by == e->seq)
        pg_statement_remove(&pg->names, buf_view(&e->name));
    if (e->expect == EXPECT_BIND && pg_portal(&pg->names, buf_view(&e->name)) == e->run)
        pg_portal_remove(&pg->names, buf_view(&e->name));
}

static Err succeeded(Pg *pg, PgAwaited *e)
{
    PgStatement *s;

    if (e->expect == EXPECT_CLOSE) {
        if (buf_len(&e->name) == 0)
            return OK; /* gone since it was sent */
        if (withheld(pg))
            return pg_withhold_ends(pg); /* for the client, it is still there */
        if (e->close_kind == 'S')
            pg_statement_remove(&pg->names, buf_view(&e->name));
        else
            pg_portal_remove(&pg->names, buf_view(&e->name));
        return OK;
    }
    if (e->stand_in)
        return ERR_MALFORMED; /* what must fail has not: the target is not what it seems */
    if (e->expect == EXPECT_PARSE && withheld(pg) && buf_len(&e->name) > 0)
        return pg_withhold_ends(pg); /* for the client, it was never prepared */
    if (!e->on_success) {
        s = pg_statement(&pg->names, buf_view(&e->name));
        if (e->expect == EXPECT_PARSE && s != NULL && s->made_by == e->seq)
            s->confirmed = true;
        return OK;
    }
    if (e->expect == EXPECT_BIND)
        return pg_portal_put(&pg->names, buf_view(&e->name), e->run);
    TRY(pg_statement_put(&pg->names, buf_view(&e->name), buf_view(&e->run->kept_text), &s));
    if (e->run->copy != NULL)
        TRY(buf_append(&s->runs, pg_copy_out(e->run->judged)->runs));
    return buf_append(&s->types, buf_view(&e->reply));
}

/* The server discards to Sync, and so do we: what is queued up to there, and what the client
 * has yet to send. */
static void skip_to_sync(Pg *pg)
{
    while (pg->queue.count > 0 && pg_queue_head(&pg->queue)->expect != EXPECT_SYNC) {
        undo(pg, pg_queue_head(&pg->queue));
        pg_queue_pop(&pg->queue);
    }
    if (pg->queue.count == 0 && pg->phase != PG_ENDED)
        pg->phase = PG_SKIPPING;
}

/* For the receipt of what ran on the target and was kept from the client. */
static Bytes withheld_state(const Pg *pg)
{
    return text_of(message_entry(pg->why->code)->sqlstate);
}

/* The SQLSTATE of the error that stands for the server's. */
static Bytes own_state(const PgAwaited *e)
{
    Reader r = reader_of(bytes_from(buf_view(&e->reply), 5));
    Bytes text;
    uint8_t code;

    while (reader_u8(&r, &code) == OK && code != 0 && reader_string(&r, &text) == OK)
        if (code == 'C')
            return text;
    return (Bytes){ 0 };
}

static Err on_error(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    Bytes state = { 0 };

    if (withheld(pg)) {
        state = withheld_state(pg);
        TRY(pg_withhold_failed(pg, wire));
    } else if (e->stand_in && !e->failed) {
        if (e->run != NULL)
            state = own_state(e);
        TRY(buf_append(&wire->to_client, buf_view(&e->reply)));
    } else {
        TRY(pg_scrub('E', frame->body, pg->phi, &wire->to_client, &state));
    }
    done(pg, e->run, state, true);
    pg->failed = true;
    e->failed = true;
    if (pg_copy_is_open(pg, e))
        pg->phase = PG_TALKING;
    if (e->expect == EXPECT_QUERY || e->expect == EXPECT_SYNC)
        return OK; /* ReadyForQuery follows */
    undo(pg, e);
    pg_queue_pop(&pg->queue);
    skip_to_sync(pg);
    return OK;
}

/* Planned and written; or, where it may not leave, withheld with all that follows it. */
static Err put_shape(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    const size_t before = buf_len(&wire->to_client);
    const Err err = pg_rows_shape(pg, e->run, true, frame->body, &wire->to_client);

    if (e->swallow || err != OK || e->run->copy != NULL)
        buf_truncate(&wire->to_client, before);
    if (err == OK && e->run->copy != NULL && !e->swallow)
        return pg_message(&wire->to_client, 'n', (Bytes){ 0 });
    return err == ERR_REFUSED ? pg_withhold(pg, wire, &PG_SHAPE_DISAGREES) : err;
}

static Err on_shape(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    const PgExpect expect = e->expect;

    if (e->stand_in)
        return ERR_MALFORMED;
    if (withheld(pg)) {
        if (e->run != NULL)
            e->run->has_shape = false;
    } else if (expect == EXPECT_DESCRIBE_STATEMENT || e->run == NULL || e->run->judged == NULL) {
        /* Names and types only; rows are planned from their own portal's description. */
        TRY(e->copies ? pg_message(&wire->to_client, 'n', (Bytes){ 0 })
                      : buf_append(&wire->to_client, frame->whole));
    } else {
        TRY(put_shape(pg, wire, e, frame));
    }
    if (expect != EXPECT_QUERY)
        pg_queue_pop(&pg->queue);
    return OK;
}

static Err put_row(Pg *pg, PgRun *run, Bytes body, Buf *out)
{
    if (run->copy == NULL)
        return pg_rows_row(pg, run, body, out);
    buf_truncate(&pg->row, 0);
    TRY(pg_rows_row(pg, run, body, &pg->row));
    TRY(pg_copy_row(run, bytes_from(buf_view(&pg->row), 5), out));
    if (pg->row.cap > ROW_KEPT)
        buf_release(&pg->row);
    return OK;
}

static Err on_row(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    if (e->run == NULL)
        return ERR_MALFORMED;
    if (withheld(pg))
        return OK;
    const Err err = put_row(pg, e->run, frame->body, &wire->to_client);
    return err == ERR_REFUSED ? pg_withhold(pg, wire, &PG_ROW_UNMASKABLE) : err;
}

static bool tag_is_plain(Bytes tag)
{
    for (size_t i = 0; i < tag.len; i++) {
        const uint8_t c = tag.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' '))
            return false;
    }
    return tag.len <= 64;
}

static Err tell(Pg *pg, Wire *wire)
{
    Fault fault;

    return pg->ports.notice(pg->ports.ctx, &fault)
               ? pg_fault(&wire->to_client, &fault, (Bytes){ 0 })
               : OK;
}

/* "COPY 3" in place of "SELECT 3". */
static Err end_copy(const Pg *pg, Wire *wire, PgRun *run, Buf *tag)
{
    if (!withheld(pg) && !run->has_shape)
        return ERR_MALFORMED;
    if (!withheld(pg))
        TRY(pg_copy_end(run, &wire->to_client));
    buf_init(tag, 64);
    return text_format(tag, "COPY %llu", (unsigned long long)run->receipt.rows);
}

static Err on_complete(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    CLEANUP(buf_done) Buf copied = { 0 };
    Reader r = reader_of(frame->body);
    Bytes tag = { 0 };

    if (frame->tag == 'C')
        TRY(reader_string(&r, &tag));
    if (!reader_at_end(&r) || !tag_is_plain(tag) || e->run == NULL || e->stand_in ||
        pg_copy_is_open(pg, e))
        return ERR_MALFORMED;
    if (e->run->copy != NULL) {
        if (frame->tag != 'C')
            return ERR_MALFORMED;
        TRY(end_copy(pg, wire, e->run, &copied));
        tag = buf_view(&copied);
    }
    if (!withheld(pg)) {
        TRY(tell(pg, wire));
        TRY(frame->tag == 'C' ? pg_complete(&wire->to_client, tag)
                              : buf_append(&wire->to_client, frame->whole));
    }
    if (frame->tag == 'C') {
        TRY(pg_withhold_ran(pg, e->run));
        TRY(completed(pg, e, tag));
    }
    done(pg, e->run, withheld(pg) ? withheld_state(pg) : tag, withheld(pg));
    if (e->expect == EXPECT_QUERY) {
        e->run->has_shape = false;
        e->run->statement++;
    } else {
        pg_queue_pop(&pg->queue);
    }
    return OK;
}

static Err on_ready(Pg *pg, Wire *wire, const PgAwaited *e, const PgFrame *frame)
{
    if (frame->body.len != 1)
        return ERR_MALFORMED;
    if (e->stand_in && !e->failed)
        return ERR_MALFORMED; /* what must fail has not */
    if (e->expect == EXPECT_QUERY && !e->failed && e->run != NULL && e->run->statement == 0)
        return ERR_MALFORMED; /* neither a result nor an error: did it run? */
    pg->status = frame->body.ptr[0];
    if (pg->status != 'I' && pg->status != 'T' && pg->status != 'E')
        return ERR_MALFORMED;
    if (pg->status == 'I')
        pg_portals_end(&pg->names, e->seq, !pg->failed && !pg->rolled_back);
    if (pg->status == 'I')
        pg->rolled_back = false;
    if (e->changes_names)
        pg->path_open = false;
    pg->ready_at = e->seq;
    pg->ports.ready(pg->ports.ctx, pg->status != 'I', pg->failed);
    pg->failed = false;
    pg_queue_pop(&pg->queue);
    const Err err = withheld(pg) ? pg_withhold_ready(pg, wire, frame->whole)
                                 : buf_append(&wire->to_client, frame->whole);
    pg->lasting = LASTS_NOT;
    return err;
}

/* ParameterDescription: a count, and as many type oids. */
static Err check_parameters(Bytes body)
{
    Reader r = reader_of(body);
    uint16_t count;
    Bytes types;

    TRY(reader_u16(&r, &count));
    TRY(reader_bytes(&r, (size_t)count * sizeof(uint32_t), &types));
    return reader_at_end(&r) ? OK : ERR_MALFORMED;
}

static Err on_answer(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame)
{
    if (e->failed && frame->tag != 'Z' && frame->tag != 'E')
        return ERR_MALFORMED;
    switch (pg_server_act(e->expect, frame->tag)) {
    case SERVER_STEP:
        TRY(check_parameters(frame->body));
        return withheld(pg) ? OK : buf_append(&wire->to_client, frame->whole);
    case SERVER_DONE:
        if (frame->tag != 'n' && frame->body.len != 0)
            return ERR_MALFORMED;
        TRY(succeeded(pg, e));
        if (frame->tag == 'n' && e->run != NULL)
            e->run->has_shape = false;
        if (!e->swallow && !withheld(pg))
            TRY(buf_append(&wire->to_client, frame->whole));
        pg_queue_pop(&pg->queue);
        return OK;
    case SERVER_SHAPE:
        return on_shape(pg, wire, e, frame);
    case SERVER_ROW:
        return on_row(pg, wire, e, frame);
    case SERVER_COMPLETE:
        return on_complete(pg, wire, e, frame);
    case SERVER_COPY_IN:
        return pg_copy_begins(pg, wire, e, frame);
    case SERVER_ERROR:
        return on_error(pg, wire, e, frame);
    case SERVER_READY:
        return on_ready(pg, wire, e, frame);
    case SERVER_VIOLATION:
        break;
    }
    return ERR_MALFORMED;
}

/* --- what may come at any time ------------------------------------------------------- */

static Err on_notification(const Pg *pg, Bytes body, Buf *out)
{
    Reader r = reader_of(body);
    uint32_t pid;
    Bytes channel, payload;
    size_t mark;

    TRY(reader_u32(&r, &pid));
    TRY(reader_string(&r, &channel));
    TRY(reader_string(&r, &payload));
    if (!reader_at_end(&r))
        return ERR_MALFORMED;
    TRY(pg_open(out, 'A', &mark));
    TRY(buf_u32(out, pid == pg->server_pid ? pg->shown_pid : pid)); /* clients know their own */
    TRY(pg_string(out, channel));
    TRY(pg_string(out, pg->phi ? (Bytes){ 0 } : payload));
    pg_close(out, mark);
    return OK;
}

/* Settings that were forced must stay; a change means another backend, or a way around. */
static Err on_parameter(Bytes body, const PgFrame *frame, Buf *out)
{
    Reader r = reader_of(body);
    Bytes name, value;

    TRY(reader_string(&r, &name));
    TRY(reader_string(&r, &value));
    if (!reader_at_end(&r))
        return ERR_MALFORMED;
    if (text_eq(name, LIT("client_encoding")) && !text_eq(value, LIT("UTF8")))
        return ERR_REFUSED;
    if (text_eq(name, LIT("standard_conforming_strings")) && !text_eq(value, LIT("on")))
        return ERR_REFUSED;
    /* Those are ours to say. */
    return pg_is_own_setting(name) ? OK : buf_append(out, frame->whole);
}

static Err on_frame(Pg *pg, Wire *wire, const PgFrame *frame)
{
    PgAwaited *head = pg_queue_head(&pg->queue);
    Bytes state;

    switch (frame->tag) {
    case 'N':
        return pg_scrub('N', frame->body, pg->phi, &wire->to_client, &state);
    case 'A':
        return on_notification(pg, frame->body, &wire->to_client);
    case 'S':
        return on_parameter(frame->body, frame, &wire->to_client);
    default:
        break;
    }
    if (head != NULL)
        return on_answer(pg, wire, head, frame);
    /* The server's last words: shut down, terminated by an administrator. */
    return frame->tag == 'E' ? pg_scrub('E', frame->body, pg->phi, &wire->to_client, &state)
                             : ERR_MALFORMED;
}

/* --- rows that are dropped unread -------------------------------------------------------- */

/* At the front is a row that is too long to be held: nothing but its header is looked at. */
static Err on_long_row(Pg *pg, Wire *wire)
{
    const Bytes in = buf_view(&wire->from_server);
    const PgAwaited *head = pg_queue_head(&pg->queue);
    PgFrame frame;

    if (head == NULL || pg_server_act(head->expect, in.ptr[0]) != SERVER_ROW)
        return ERR_LIMIT;
    if (head->run == NULL || head->failed || (!withheld(pg) && !head->run->has_shape))
        return ERR_MALFORMED;
    const Err err = pg_frame_next(in, PG_TAGGED, ROW_DROPPED_MAX, &frame);
    if (err != ERR_MORE && err != OK)
        return err;
    pg->row_rest = frame.size;
    return withheld(pg) ? OK : pg_withhold(pg, wire, &PG_ROW_TOO_LONG);
}

static Err drop_row(Pg *pg, Wire *wire)
{
    const size_t here = buf_len(&wire->from_server);
    const size_t len = pg->row_rest < here ? pg->row_rest : here;

    pg->row_rest -= len;
    buf_consume(&wire->from_server, len);
    return pg->row_rest > 0 ? ERR_MORE : OK;
}

/* ERR_MORE: no whole message. */
static Err next_answer(Pg *pg, Wire *wire)
{
    PgFrame frame;

    if (pg->row_rest > 0)
        return drop_row(pg, wire);
    const Err err = pg_frame_next(buf_view(&wire->from_server), PG_TAGGED, LIMIT_ROW, &frame);
    if (err == ERR_LIMIT)
        return on_long_row(pg, wire);
    if (err == ERR_MORE && frame.size > wire->from_server.max)
        return ERR_LIMIT; /* it will never be here whole */
    TRY(err);
    TRY(on_frame(pg, wire, &frame));
    buf_consume(&wire->from_server, frame.size);
    TRY(pg_emit_locals(pg, wire));
    if (pg->queue.count == 0)
        pg->flush_sent = false;
    return OK;
}

Err pg_server(void *state, Wire *wire)
{
    Pg *pg = state;
    Err err = OK;

    while (err == OK && pg->phase != PG_ENDED) {
        const PgMark mark = pg_mark(wire);

        err = next_answer(pg, wire);
        if (err != OK && err != ERR_MORE)
            pg_fail(pg, wire, mark);
    }
    return err == ERR_MORE ? OK : err;
}
