/* What becomes of a command once it was ruled on: forwarded, refused or answered here.
 *
 * A refusal is made true on the server. Swallowing a statement inside a transaction or a
 * pipeline and forwarding Sync would commit what came before it, so a message that must fail
 * goes in its place; the server's own error is then replaced by ours. */
#include "proto/pg/pg.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_copy.h"
#include "proto/pg/pg_copy_in.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_write.h"

/* Cannot parse, so it cannot run; a name, so that the client's unnamed statement lives on. */
static const Bytes STAND_IN_TEXT = LIT_INIT("chaperone refused");
static const Bytes STAND_IN_NAME = LIT_INIT("chaperone refused");

bool pg_changes_path(const Meaning *meaning)
{
    for (size_t i = 0; i < meaning->statement_count; i++)
        if (statement_changes_path(&meaning->statements[i]))
            return true;
    return false;
}

bool pg_changes_names(const Meaning *meaning)
{
    if (pg_changes_path(meaning) || (meaning->effects & (EFFECT_DDL | EFFECT_OPAQUE)) != 0)
        return true;
    for (size_t i = 0; i < meaning->statement_count; i++) {
        switch (meaning->statements[i].kind) {
        case STATEMENT_PREPARE:
        case STATEMENT_DEALLOCATE:
        case STATEMENT_DECLARE:
        case STATEMENT_CLOSE:
        case STATEMENT_DISCARD:
            return true;
        case STATEMENT_SET:
        case STATEMENT_RESET:
        case STATEMENT_OTHER:
        case STATEMENT_SELECT:
        case STATEMENT_INSERT:
        case STATEMENT_UPDATE:
        case STATEMENT_DELETE:
        case STATEMENT_MERGE:
        case STATEMENT_TRUNCATE:
        case STATEMENT_COPY_TO:
        case STATEMENT_COPY_FROM:
        case STATEMENT_BEGIN:
        case STATEMENT_COMMIT:
        case STATEMENT_ROLLBACK:
        case STATEMENT_SAVEPOINT:
        case STATEMENT_SHOW:
        case STATEMENT_EXPLAIN:
        case STATEMENT_EXECUTE:
        case STATEMENT_FETCH:
        case STATEMENT_LISTEN:
        case STATEMENT_CALL:
        case STATEMENT_DO:
            break;
        }
    }
    return false;
}

static bool is_simple(uint8_t tag)
{
    return tag == 'Q' || tag == 'F';
}

Err pg_emit_locals(Pg *pg, Wire *wire)
{
    for (PgAwaited *e = pg_queue_head(&pg->queue); e != NULL && e->expect == EXPECT_LOCAL;
         e = pg_queue_head(&pg->queue)) {
        if (pg->withheld == WITHHELD_NOTHING)
            TRY(buf_append(&wire->to_client, buf_view(&e->reply)));
        if (e->ready)
            TRY(pg_ready(&wire->to_client, pg->status));
        pg_queue_pop(&pg->queue);
    }
    return OK;
}

Err pg_stand_in(Pg *pg, Wire *wire, bool simple, const Fault *fault, Bytes id)
{
    PgAwaited *entry;

    TRY(pg_push(pg, simple ? EXPECT_QUERY : EXPECT_PARSE, NULL, &entry));
    entry->stand_in = true;
    if (simple)
        TRY(pg_query(&wire->to_server, STAND_IN_TEXT));
    else
        TRY(pg_parse(&wire->to_server, STAND_IN_NAME, STAND_IN_TEXT));
    return pg_fault(&entry->reply, fault, id);
}

static Err refuse_alone(Pg *pg, const Settlement *s)
{
    PgAwaited *entry;

    TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
    entry->ready = true;
    return pg_fault(&entry->reply, &s->verdict->fault, s->decision);
}

static Err refuse(Pg *pg, Wire *wire, const Settlement *s)
{
    const bool simple = is_simple(pg->tag);
    const bool alone = simple && pg->status == 'I' && pg->queue.count == 0 && !pg->unsynced;

    TRY(alone ? refuse_alone(pg, s)
              : pg_stand_in(pg, wire, simple, &s->verdict->fault, s->decision));
    buf_consume(&wire->from_client, pg->pending);
    if (!simple)
        pg->phase = PG_SKIPPING;
    return pg_emit_locals(pg, wire);
}

/* A Query ends the implicit transaction of what was sent before it. Where there is one, a Sync
 * goes in its place, and the server's ReadyForQuery is the client's. */
static Err query_local(Pg *pg, Wire *wire, const LocalAnswer *local)
{
    PgAwaited *entry;

    TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
    entry->ready = !pg->unsynced;
    if (local->has_row) {
        TRY(pg_text_columns(&entry->reply, &local->column, 1));
        TRY(pg_text_row(&entry->reply, &local->value, 1));
    }
    TRY(pg_complete(&entry->reply, local->tag));
    if (pg->unsynced) {
        TRY(pg_push(pg, EXPECT_SYNC, NULL, &entry));
        TRY(pg_message(&wire->to_server, 'S', (Bytes){ 0 }));
    }
    buf_consume(&wire->from_client, pg->pending);
    return pg_emit_locals(pg, wire);
}

static Err push_own(Pg *pg, PgExpect expect, PgRun *run)
{
    PgAwaited *entry;

    TRY(pg_push(pg, expect, run, &entry));
    entry->swallow = true;
    return OK;
}

/* One COPY TO the client: its query, from Parse to Sync, in the place that a Query would have. */
static Err query_copy(Pg *pg, Wire *wire, PgRun *run)
{
    static const uint8_t NO_PARAMETERS[4] = { 0 };
    const Bytes unnamed = { 0 };
    PgAwaited *entry;

    TRY(push_own(pg, EXPECT_PARSE, NULL));
    TRY(pg_parse(&wire->to_server, unnamed, pg_copy_out(run->judged)->runs));
    TRY(push_own(pg, EXPECT_BIND, NULL));
    TRY(pg_bind(&wire->to_server, unnamed, unnamed, VIEW(NO_PARAMETERS),
                run->copy->format == COPY_BINARY));
    TRY(push_own(pg, EXPECT_DESCRIBE_PORTAL, run));
    TRY(pg_describe_portal(&wire->to_server, unnamed));
    TRY(pg_push(pg, EXPECT_EXECUTE, run, &entry));
    if (pg_changes_names(run->judged->meaning))
        pg_queue_changes_names(&pg->queue, entry);
    TRY(pg_execute(&wire->to_server, unnamed));
    TRY(pg_push(pg, EXPECT_SYNC, NULL, &entry));
    TRY(pg_message(&wire->to_server, 'S', (Bytes){ 0 }));
    buf_consume(&wire->from_client, pg->pending);
    return OK;
}

static Err query_run(Pg *pg, Wire *wire, PgRun *run)
{
    PgAwaited *entry;

    if (run->copy != NULL)
        return query_copy(pg, wire, run);
    TRY(pg_push(pg, EXPECT_QUERY, run, &entry));
    pg_copy_sent(pg, run);
    if (pg_changes_names(run->judged->meaning))
        pg_queue_changes_names(&pg->queue, entry);
    return pg_forward(wire, pg->pending);
}

static Err query(Pg *pg, Wire *wire, const Settlement *s)
{
    PgRun *run;

    if (s->local != NULL)
        return query_local(pg, wire, s->local);
    TRY(pg_run_new(&pg->queue, s->judged, &run));
    /* "The unnamed prepared statement is likewise destroyed by a Query" (protocol-flow). */
    pg_statement_remove(&pg->names, (Bytes){ 0 });
    pg_portal_remove(&pg->names, (Bytes){ 0 });
    const Err err = query_run(pg, wire, run);
    pg_run_drop(&pg->queue, run);
    return err;
}

/* Parameter types stand behind two strings in the message at the front. */
static Err copy_types(const Pg *pg, const Wire *wire, Buf *out)
{
    const Bytes frame = bytes_upto(buf_view(&wire->from_client), pg->pending);
    Reader r = reader_of(bytes_from(frame, 5 + pg->statement.len + 1 + pg->text.len + 1));
    uint16_t count;

    TRY(reader_u16(&r, &count));
    for (uint16_t i = 0; i < count; i++) {
        uint32_t type;

        TRY(reader_u32(&r, &type));
        TRY(buf_append(out, VIEW(type)));
    }
    return OK;
}

static Err name_statement(Pg *pg, Wire *wire, PgAwaited *entry)
{
    PgStatement *statement;

    if (pg->statement.len > 0 && pg_statement(&pg->names, pg->statement) != NULL) {
        entry->on_success = true;
        pg_queue_changes_names(&pg->queue, entry);
        TRY(buf_append(&entry->run->kept_text, pg->text));
        return copy_types(pg, wire, &entry->reply);
    }
    TRY(pg_statement_put(&pg->names, pg->statement, pg->text, &statement));
    statement->confirmed = false;
    statement->made_by = entry->seq;
    if (entry->run->copy != NULL)
        TRY(buf_append(&statement->runs, pg_copy_out(entry->run->judged)->runs));
    return copy_types(pg, wire, &statement->types);
}

/* What the server would say of a name that is taken, or of one that it never had. */
static Err refuse_name(Pg *pg, Wire *wire, const Settlement *s, const char *why)
{
    const Verdict no = { .ruling = RULING_DENY,
                         .rule = LIT("protocol"),
                         .fault = { .code = CHP_5501, .fact = text_of(why) } };

    return refuse(pg, wire, &(Settlement){ .verdict = &no, .decision = s->decision });
}

static Err local_statement(Pg *pg, Wire *wire, const Settlement *s)
{
    const PgStatement *known = pg_statement(&pg->names, pg->statement);
    PgStatement *statement;
    PgAwaited *entry;

    if (pg->statement.len > 0 && known != NULL && !known->local)
        return refuse_name(pg, wire, s, "a prepared statement of this name exists");
    TRY(pg_statement_put(&pg->names, pg->statement, pg->text, &statement));
    statement->local = true;
    statement->local_row = s->local->has_row;
    TRY(buf_append(&statement->local_column, s->local->column));
    TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
    TRY(pg_message(&entry->reply, '1', (Bytes){ 0 }));
    buf_consume(&wire->from_client, pg->pending);
    return pg_emit_locals(pg, wire);
}

static Err parse(Pg *pg, Wire *wire, const Settlement *s)
{
    PgAwaited *entry;
    PgRun *run;

    if (s->local != NULL)
        return local_statement(pg, wire, s);
    TRY(pg_run_new(&pg->queue, s->judged, &run));
    const Err err = pg_push(pg, EXPECT_PARSE, run, &entry);
    pg_run_drop(&pg->queue, run);
    TRY(err);
    TRY(buf_append(&entry->name, pg->statement));
    TRY(name_statement(pg, wire, entry));
    if (pg_copy_out(s->judged) == NULL)
        return pg_forward(wire, pg->pending);
    TRY(pg_parse(&wire->to_server, pg->statement, pg_copy_out(s->judged)->runs));
    buf_consume(&wire->from_client, pg->pending);
    return OK;
}

static Err bind_local(Pg *pg, Wire *wire, const Settlement *s, PgRun *run)
{
    const PgRun *known = pg_portal(&pg->names, pg->portal);
    PgAwaited *entry;

    if (pg->portal.len > 0 && known != NULL && !known->local)
        return refuse_name(pg, wire, s, "a portal or cursor of this name exists");
    run->local = true;
    run->local_row = s->local->has_row;
    TRY(buf_append(&run->local_tag, s->local->tag));
    TRY(buf_append(&run->local_column, s->local->column));
    TRY(buf_append(&run->local_value, s->local->value));
    TRY(pg_push(pg, EXPECT_LOCAL, NULL, &entry));
    run->bound_at = entry->seq;
    TRY(pg_message(&entry->reply, '2', (Bytes){ 0 }));
    TRY(pg_portal_put(&pg->names, pg->portal, run));
    buf_consume(&wire->from_client, pg->pending);
    return pg_emit_locals(pg, wire);
}

/* A COPY has no result formats of its own: its query's rows come in the one that it needs. */
static Err forward_bind(Pg *pg, Wire *wire, const PgRun *run)
{
    const Bytes frame = bytes_upto(buf_view(&wire->from_client), pg->pending);
    const size_t names = 5 + pg->portal.len + 1 + pg->statement.len + 1;
    const size_t formats = sizeof(uint16_t) * (1 + pg->result_formats);

    if (run->copy == NULL)
        return pg_forward(wire, pg->pending);
    TRY(pg_bind(&wire->to_server, pg->portal, pg->statement,
                bytes_upto(bytes_from(frame, names), frame.len - names - formats),
                run->copy->format == COPY_BINARY));
    buf_consume(&wire->from_client, pg->pending);
    return OK;
}

static Err bind_run(Pg *pg, Wire *wire, const Settlement *s, PgRun *run)
{
    const PgStatement *statement = pg_statement(&pg->names, pg->statement);
    const Bytes copied = run->copy != NULL ? pg_copy_out(run->judged)->runs : (Bytes){ 0 };
    PgAwaited *entry;

    run->from_wire = true;
    if (s->local != NULL)
        return bind_local(pg, wire, s, run);
    if (statement == NULL || statement->local)
        return refuse_name(pg, wire, s, "the target has no prepared statement of this name");
    if (!text_eq(buf_view(&statement->runs), copied))
        return refuse_name(pg, wire, s,
                           "this COPY is of another table or column list now: it has "
                           "to be prepared again");
    TRY(pg_push(pg, EXPECT_BIND, run, &entry));
    run->bound_at = entry->seq;
    TRY(buf_append(&entry->name, pg->portal));
    if (pg->portal.len > 0 && pg_portal(&pg->names, pg->portal) != NULL) {
        entry->on_success = true;
        pg_queue_changes_names(&pg->queue, entry);
    } else {
        TRY(pg_portal_put(&pg->names, pg->portal, run));
    }
    return forward_bind(pg, wire, run);
}

static Err allow(Pg *pg, Wire *wire, const Settlement *s)
{
    PgRun *run;

    switch (pg->tag) {
    case 'Q':
        return query(pg, wire, s);
    case 'P':
        return parse(pg, wire, s);
    case 'B': {
        TRY(pg_run_new(&pg->queue, s->judged, &run));
        const Err err = bind_run(pg, wire, s, run);
        pg_run_drop(&pg->queue, run);
        return err;
    }
    case 'E':
        return pg_execute_again(pg, wire, s->judged);
    default:
        return ERR_MALFORMED; /* an unsupported message is never allowed */
    }
}

Err pg_settle(void *state, Wire *wire, const Settlement *settlement)
{
    Pg *pg = state;
    const PgMark mark = pg_mark(wire);
    Err err = ERR_REFUSED;

    assert(pg->pending > 0 && settlement->verdict->ruling != RULING_HOLD);
    switch (settlement->verdict->ruling) {
    case RULING_ALLOW:
        err = allow(pg, wire, settlement);
        break;
    case RULING_DENY:
        err = refuse(pg, wire, settlement);
        break;
    case RULING_HOLD:
        break;
    }
    pg->pending = 0;
    if (err != OK)
        pg_fail(pg, wire, mark);
    return err;
}
