/* The client's side: messages become commands, or are passed on as they are. */
#include "proto/pg/pg.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_copy_in.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_table.h"
#include "proto/pg/pg_write.h"

Err pg_forward(Wire *wire, size_t size)
{
    TRY(buf_append(&wire->to_server, bytes_upto(buf_view(&wire->from_client), size)));
    buf_consume(&wire->from_client, size);
    return OK;
}

/* Nothing may be looked up or sent while names are in flux, or the queue is full: the
 * server's answers come first. It may be sitting on them: Flush makes it send. */
static Err wait_for_server(Pg *pg, Wire *wire)
{
    if (pg->flush_sent || !pg->unsynced)
        return OK;
    pg->flush_sent = true;
    return pg_message(&wire->to_server, 'H', (Bytes){ 0 });
}

/* A name that exists can only be given anew once all earlier answers are in: only then is
 * what we know of it what the server knows. */
static bool name_in_doubt(const Pg *pg, Bytes name, const void *known)
{
    return name.len > 0 && known != NULL && pg->queue.count > 0;
}

Err pg_quiet(void *state, Wire *wire, bool *ret_quiet)
{
    Pg *pg = state;

    *ret_quiet = pg->queue.count == 0;
    return *ret_quiet ? OK : wait_for_server(pg, wire);
}

/* Behind a Sync that is not answered yet, what was given before it may not have come to be, and
 * the server may hold an older text under the same name. */
static bool unproven(const Pg *pg, const PgStatement *s)
{
    return !s->confirmed && s->made_by < pg->synced_at;
}

/* A portal may have ended with its transaction at that Sync, too. */
static bool portal_unproven(const Pg *pg, const PgRun *run)
{
    return run->bound_at < pg->synced_at && pg->ready_at < pg->synced_at;
}

/* Between a SET search_path and the end of its transaction nothing may be understood: the new
 * path may be undone, or BEGIN may turn what went before into a part of a longer transaction. */
static void require_sync(const Pg *pg, Command *c)
{
    if (pg->path_open && c->unsupported == NULL)
        c->unsupported = "search_path was set in this pipeline: it has to end with Sync before the "
                         "next statement";
}

static Err read_query(Reader *r, Command *c)
{
    const Bytes body = r->rest;

    *c = (Command){ .kind = COMMAND_STATEMENT };
    TRY(reader_string(r, &c->text));
    if (reader_at_end(r))
        return OK;
    c->text = bytes_upto(body, body.len - 1);
    c->unsupported = "a NUL byte inside the statement";
    return OK;
}

static Err read_parse(Pg *pg, Reader *r, Command *c)
{
    uint16_t types;
    Bytes raw;

    *c = (Command){ .kind = COMMAND_PREPARE };
    TRY(reader_string(r, &pg->statement));
    TRY(reader_string(r, &c->text));
    TRY(reader_u16(r, &types));
    TRY(reader_bytes(r, (size_t)types * sizeof(uint32_t), &raw));
    c->name = pg->statement;
    pg->text = c->text;
    if (!reader_at_end(r))
        return ERR_MALFORMED;
    return name_in_doubt(pg, pg->statement, pg_statement(&pg->names, pg->statement)) ? ERR_MORE
                                                                                     : OK;
}

static Err read_formats(Reader *r, Buf *formats, size_t *ret_count)
{
    uint16_t count;

    TRY(reader_u16(r, &count));
    for (uint16_t i = 0; i < count; i++) {
        uint16_t format;

        TRY(reader_u16(r, &format));
        if (format > 1)
            return ERR_MALFORMED;
        TRY(buf_append(formats, VIEW(format)));
    }
    *ret_count = count;
    return OK;
}

static uint16_t format_of(const uint16_t *formats, size_t count, size_t index)
{
    if (count == 0)
        return 0;
    return formats[count == 1 ? 0 : index];
}

static uint32_t type_of(const PgStatement *s, size_t index)
{
    const uint32_t *types = (const void *)buf_view(&s->types).ptr;

    return index < buf_len(&s->types) / sizeof *types ? types[index] : 0;
}

static Err read_values(Pg *pg, Reader *r, const PgStatement *s, size_t format_count)
{
    uint16_t count;

    TRY(reader_u16(r, &count));
    if (format_count > 1 && format_count != count)
        return ERR_MALFORMED;
    for (uint16_t i = 0; i < count; i++) {
        const uint16_t *formats = (const void *)buf_view(&pg->formats).ptr;
        uint32_t len;

        TRY(reader_u32(r, &len));
        Value v = { .is_null = len == UINT32_MAX,
                    .binary = format_of(formats, format_count, i) == 1,
                    .type_oid = type_of(s, i) };
        if (!v.is_null)
            TRY(reader_bytes(r, len, &v.bytes));
        TRY(buf_append(&pg->values, VIEW(v)));
    }
    return OK;
}

/* With the server's own SQLSTATE: drivers prepare again when they see it. */
static void unknown(Command *c, MessageCode code, const char *why)
{
    c->unsupported = why;
    c->code = code;
}

static Err read_bind(Pg *pg, Reader *r, Command *c)
{
    static const PgStatement NOTHING = { 0 };
    size_t parameter_formats;

    *c = (Command){ .kind = COMMAND_RUN };
    buf_truncate(&pg->values, 0);
    buf_truncate(&pg->formats, 0);
    TRY(reader_string(r, &pg->portal));
    TRY(reader_string(r, &pg->statement));
    const PgStatement *s = pg_statement(&pg->names, pg->statement);
    TRY(read_formats(r, &pg->formats, &parameter_formats));
    TRY(read_values(pg, r, s != NULL ? s : &NOTHING, parameter_formats));
    TRY(read_formats(r, &pg->formats, &c->result_format_count));
    pg->result_formats = c->result_format_count;
    if (!reader_at_end(r))
        return ERR_MALFORMED;
    c->name = pg->portal;
    c->values = (const void *)buf_view(&pg->values).ptr;
    c->value_count = buf_len(&pg->values) / sizeof(Value);
    if (c->result_format_count > 0)
        c->result_formats =
            (const uint16_t *)(const void *)buf_view(&pg->formats).ptr + parameter_formats;
    if (name_in_doubt(pg, pg->portal, pg_portal(&pg->names, pg->portal)) ||
        (s != NULL && unproven(pg, s)))
        return ERR_MORE;
    if (s == NULL)
        unknown(c, CHP_5503, "nothing of this name was prepared through the gateway");
    else
        c->text = buf_view(&s->text);
    return OK;
}

/* An Execute needs a new ruling only where its Bind was not the ruling: a cursor made by
 * DECLARE, a portal that already ran. */
static Err read_execute(Pg *pg, Reader *r, Command *c)
{
    *c = (Command){ .kind = COMMAND_RESUME };
    TRY(reader_string(r, &pg->portal));
    TRY(reader_u32(r, &pg->execute_limit));
    c->name = pg->portal;
    const PgRun *run = pg_portal(&pg->names, pg->portal);
    if (run == NULL)
        unknown(c, CHP_5502, "nothing of this name was declared or bound through the gateway");
    else if (run->copy != NULL && run->started)
        c->unsupported = "this COPY has run: it has to be bound again";
    else
        c->text = pg_run_text(run);
    if (!reader_at_end(r))
        return ERR_MALFORMED;
    return run != NULL && portal_unproven(pg, run) ? ERR_MORE : OK;
}

Err pg_push(Pg *pg, PgExpect expect, PgRun *run, PgAwaited **ret)
{
    const bool ends = expect == EXPECT_SYNC || expect == EXPECT_QUERY;

    TRY(pg_queue_push(&pg->queue, expect, run, ret));
    if (expect == EXPECT_LOCAL)
        return OK;
    pg->unsynced = !ends;
    pg->flush_sent = false;
    if (ends)
        pg->synced_at = (*ret)->seq;
    if (ends && pg->path_open)
        pg_queue_changes_names(&pg->queue, *ret);
    pg->runs += expect == EXPECT_QUERY || expect == EXPECT_EXECUTE;
    return OK;
}

static Err local_description(const Buf *column, bool row, Buf *out)
{
    const Bytes name = buf_view(column);

    return row ? pg_text_columns(out, &name, 1) : pg_message(out, 'n', (Bytes){ 0 });
}

static Err describe(Pg *pg, Wire *wire, const PgFrame *frame)
{
    static const uint8_t NO_PARAMETERS[2] = { 0 };
    Reader r = reader_of(frame->body);
    PgAwaited *entry;
    uint8_t kind;
    Bytes name;

    TRY(reader_u8(&r, &kind));
    TRY(reader_string(&r, &name));
    if (!reader_at_end(&r) || (kind != 'S' && kind != 'P'))
        return ERR_MALFORMED;
    if (kind == 'S') {
        const PgStatement *s = pg_statement(&pg->names, name);

        if (s != NULL && s->local) {
            TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
            TRY(pg_message(&entry->reply, 't', VIEW(NO_PARAMETERS)));
            TRY(local_description(&s->local_column, s->local_row, &entry->reply));
            buf_consume(&wire->from_client, frame->size);
            return pg_emit_locals(pg, wire);
        }
        TRY(pg_push(pg, EXPECT_DESCRIBE_STATEMENT, NULL, &entry));
        entry->copies = s != NULL && buf_len(&s->runs) > 0;
        return pg_forward(wire, frame->size);
    }

    PgRun *run = pg_portal(&pg->names, name);
    if (run != NULL && run->local) {
        TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
        TRY(local_description(&run->local_column, run->local_row, &entry->reply));
        buf_consume(&wire->from_client, frame->size);
        return pg_emit_locals(pg, wire);
    }
    if (run != NULL && run->judged != NULL)
        run->described_at = pg->runs + 1;
    TRY(pg_push(pg, EXPECT_DESCRIBE_PORTAL, run, &entry));
    return pg_forward(wire, frame->size);
}

static Err close_name(Pg *pg, Wire *wire, const PgFrame *frame)
{
    Reader r = reader_of(frame->body);
    PgAwaited *entry;
    uint8_t kind;
    Bytes name;

    TRY(reader_u8(&r, &kind));
    TRY(reader_string(&r, &name));
    if (!reader_at_end(&r) || (kind != 'S' && kind != 'P'))
        return ERR_MALFORMED;
    TRY(pg_push(pg, EXPECT_CLOSE, NULL, &entry));
    entry->close_kind = kind;
    TRY(buf_append(&entry->name, name));
    if (name.len > 0)
        pg_queue_changes_names(&pg->queue, entry);
    else if (kind == 'S') /* by the time it is answered, the unnamed one may be a new one */
        pg_statement_remove(&pg->names, name);
    else
        pg_portal_remove(&pg->names, name);
    return pg_forward(wire, frame->size);
}

static Err sync(Pg *pg, Wire *wire, const PgFrame *frame)
{
    PgAwaited *entry;

    if (frame->body.len != 0)
        return ERR_MALFORMED;
    TRY(pg_push(pg, EXPECT_SYNC, NULL, &entry));
    pg->phase = PG_TALKING;
    return pg_forward(wire, frame->size);
}

/* The first Execute after a Bind runs what was ruled on and written down at the Bind. */
static Err execute(Pg *pg, Wire *wire, PgRun *run)
{
    PgAwaited *entry;

    if (run->local) {
        const Bytes value = buf_view(&run->local_value);

        TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
        if (run->local_row)
            TRY(pg_text_row(&entry->reply, &value, 1));
        TRY(pg_complete(&entry->reply, buf_view(&run->local_tag)));
        buf_consume(&wire->from_client, pg->pending);
        return pg_emit_locals(pg, wire);
    }
    /* Whatever ran since its Describe may have put another portal under this name. */
    if (run->described_at != pg->runs + 1) {
        TRY(pg_push(pg, EXPECT_DESCRIBE_PORTAL, run, &entry));
        entry->swallow = true;
        TRY(pg_describe_portal(&wire->to_server, pg->portal));
    }
    TRY(pg_push(pg, EXPECT_EXECUTE, run, &entry));
    if (run->judged != NULL && pg_changes_names(run->judged->meaning))
        pg_queue_changes_names(&pg->queue, entry);
    pg->path_open = pg->path_open || (run->judged != NULL && pg_changes_path(run->judged->meaning));
    run->started = true;
    pg_copy_sent(pg, run);
    if (run->copy == NULL)
        return pg_forward(wire, pg->pending);
    TRY(pg_execute(&wire->to_server, pg->portal)); /* COPY knows no limit of rows */
    buf_consume(&wire->from_client, pg->pending);
    return OK;
}

Err pg_execute_again(Pg *pg, Wire *wire, Judged *judged)
{
    PgRun *run = pg_portal(&pg->names, pg->portal);

    assert(run != NULL);
    pg_run_judge(&pg->queue, run, judged);
    return execute(pg, wire, run);
}

/* SET search_path is ruled on once more: a transaction may have begun since its Bind. */
static bool runs_as_bound(const PgRun *run)
{
    return run->from_wire && !run->started &&
           (run->judged == NULL || !pg_changes_path(run->judged->meaning));
}

static Err on_execute(Pg *pg, Wire *wire, Reader *r, Step *ret_step, Command *ret_command)
{
    TRY(read_execute(pg, r, ret_command));
    PgRun *run = pg_portal(&pg->names, pg->portal);

    require_sync(pg, ret_command);
    if (run != NULL && ret_command->unsupported == NULL && runs_as_bound(run)) {
        const Err err = execute(pg, wire, run);
        pg->pending = 0;
        return err;
    }
    *ret_step = STEP_COMMAND;
    return OK;
}

static Err read_command(Pg *pg, Reader *r, PgClientAct act, Command *ret_command)
{
    if (act == CLIENT_PARSE)
        return read_parse(pg, r, ret_command);
    if (act == CLIENT_BIND)
        return read_bind(pg, r, ret_command);
    /* Were an error among the answers to come, the server would skip this one too. */
    if (pg->unsynced && pg->queue.count > 0)
        return ERR_MORE;
    if (act == CLIENT_QUERY)
        return read_query(r, ret_command);
    *ret_command =
        (Command){ .kind = COMMAND_STATEMENT, .unsupported = "FunctionCall is not available" };
    return OK;
}

/* One message. *ret_step says whether it waits for a ruling. */
static Err on_message(Pg *pg, Wire *wire, const PgFrame *frame, Step *ret_step,
                      Command *ret_command)
{
    Reader r = reader_of(frame->body);
    const PgClientAct act = pg_client_act(pg->phase, frame->tag);

    pg->tag = frame->tag;
    pg->pending = frame->size;
    *ret_step = STEP_IDLE;
    switch (act) {
    case CLIENT_QUERY:
    case CLIENT_PARSE:
    case CLIENT_BIND:
    case CLIENT_CALL:
        *ret_step = STEP_COMMAND;
        TRY(read_command(pg, &r, act, ret_command));
        require_sync(pg, ret_command);
        return OK;
    case CLIENT_EXECUTE:
        return on_execute(pg, wire, &r, ret_step, ret_command);
    case CLIENT_TERMINATE:
        *ret_step = STEP_END;
        return OK;
    case CLIENT_DROP:
        buf_consume(&wire->from_client, frame->size);
        break;
    case CLIENT_COPY_DATA:
        TRY(pg_copy_data(pg, wire, frame));
        break;
    case CLIENT_COPY_END:
        TRY(pg_copy_ends(pg, wire, frame));
        break;
    case CLIENT_DESCRIBE:
        TRY(describe(pg, wire, frame));
        break;
    case CLIENT_CLOSE:
        TRY(close_name(pg, wire, frame));
        break;
    case CLIENT_SYNC:
        TRY(sync(pg, wire, frame));
        break;
    case CLIENT_FLUSH:
        if (frame->body.len != 0)
            return ERR_MALFORMED;
        TRY(pg_forward(wire, frame->size));
        break;
    case CLIENT_VIOLATION:
        return ERR_MALFORMED;
    }
    pg->pending = 0;
    return OK;
}

/* Behind a withheld result, the server may have to be made to fail first. */
static bool must_wait(const Pg *pg)
{
    if (pg->phase == PG_COPYING)
        return false; /* what it waits for would wait for its data */
    return pg->phase == PG_COPY_STARTING || pg->withheld == WITHHELD_TO_READY ||
           pg->queue.count + 6 > PG_QUEUE_MAX || pg->queue.text_bytes > PG_QUEUE_TEXT_MAX;
}

/* Names may be in flux: only what looks none up may go on. */
static bool must_settle(const Pg *pg, uint8_t tag)
{
    return pg->phase != PG_COPYING && pg->queue.changing_names > 0 && tag != 'S' && tag != 'H';
}

/* ERR_MORE: nothing to do before more bytes come, from the client or from the server. */
static Err next_message(Pg *pg, Wire *wire, Step *ret_step, Command *ret_command)
{
    PgFrame frame;

    if (must_wait(pg)) {
        TRY(wait_for_server(pg, wire));
        return ERR_MORE;
    }
    const Bytes in = buf_view(&wire->from_client);
    if (in.len > 0 && pg_client_act(pg->phase, in.ptr[0]) == CLIENT_VIOLATION)
        return ERR_MALFORMED; /* its length need not be waited for */
    Err err = pg_frame_next(in, PG_TAGGED, LIMIT_CLIENT_MESSAGE, &frame);
    if (err == ERR_MORE && frame.size > wire->from_client.max)
        return ERR_LIMIT; /* it will never be here whole */
    TRY(err);
    if (must_settle(pg, frame.tag)) {
        TRY(wait_for_server(pg, wire));
        return ERR_MORE;
    }
    err = on_message(pg, wire, &frame, ret_step, ret_command);
    if (err != ERR_MORE)
        return err;
    *ret_step = STEP_IDLE;
    pg->pending = 0;
    TRY(wait_for_server(pg, wire));
    return ERR_MORE;
}

Err pg_client(void *state, Wire *wire, Step *ret_step, Command *ret_command)
{
    Pg *pg = state;
    const PgMark before = pg_mark(wire);
    Err err = OK;

    *ret_step = STEP_IDLE;
    while (err == OK && pg->phase != PG_ENDED && *ret_step == STEP_IDLE) {
        const PgMark mark = pg_mark(wire);

        err = next_message(pg, wire, ret_step, ret_command);
        if (err != OK && err != ERR_MORE)
            pg_fail(pg, wire, mark);
    }
    const Err written = pg_copy_write_down(pg);
    if (written != OK)
        pg_fail(pg, wire, before);
    if (written != OK)
        return written;
    return err == ERR_MORE ? OK : err;
}
