#include "toy_server.h"

#include "base/reader.h"
#include "base/text.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_write.h"
#include "toy_sql.h"

#include <stdlib.h>
#include <string.h>

typedef struct Failure {
    const char *state, *text; /* state NULL: none */
} Failure;

static const Failure NONE = { 0 };

static void must(Err err)
{
    if (err != OK)
        abort();
}

static Bytes view(const ToyText *t)
{
    return (Bytes){ t->text, t->len };
}

static ToyText copy(Bytes b)
{
    ToyText t = { .len = b.len < TOY_TEXT ? b.len : TOY_TEXT };

    if (t.len > 0)
        memcpy(t.text, b.ptr, t.len);
    return t;
}

void toy_server_init(ToyServer *s)
{
    *s = (ToyServer){ .status = 'I' };
    buf_init(&s->in, 64 << 20);
    buf_init(&s->out, 64 << 20);
    buf_init(&s->pending, 1 << 20);
    buf_init(&s->committed, 1 << 20);
    buf_init(&s->executed, 16 << 20);
}

void toy_server_done(ToyServer *s)
{
    buf_done(&s->in);
    buf_done(&s->out);
    buf_done(&s->pending);
    buf_done(&s->committed);
    buf_done(&s->executed);
}

/* --- names -------------------------------------------------------------------------------- */

static int find_statement(const ToyServer *s, Bytes name)
{
    for (int i = 0; i < TOY_NAMES; i++)
        if (s->statements[i].used && text_eq(view(&s->statements[i].name), name))
            return i;
    return -1;
}

static bool put_statement(ToyServer *s, Bytes name, Bytes text)
{
    for (int i = 0; i < TOY_NAMES; i++) {
        if (s->statements[i].used)
            continue;
        s->statements[i].used = true;
        s->statements[i].name = copy(name);
        s->statements[i].text = copy(text);
        return true;
    }
    return false;
}

static void drop_statement(ToyServer *s, Bytes name)
{
    const int i = find_statement(s, name);

    if (i >= 0)
        s->statements[i].used = false;
}

static ToyPortal *find_portal(ToyServer *s, Bytes name)
{
    for (int i = 0; i < TOY_NAMES; i++)
        if (s->portals[i].used && text_eq(view(&s->portals[i].name), name))
            return &s->portals[i];
    return NULL;
}

static ToyPortal *put_portal(ToyServer *s, Bytes name, Bytes text)
{
    ToyPortal *p = find_portal(s, name);

    for (int i = 0; p == NULL && i < TOY_NAMES; i++)
        if (!s->portals[i].used)
            p = &s->portals[i];
    if (p != NULL)
        *p = (ToyPortal){ .used = true, .name = copy(name), .text = copy(text) };
    return p;
}

static void drop_portal(ToyServer *s, Bytes name)
{
    ToyPortal *p = find_portal(s, name);

    if (p != NULL)
        p->used = false;
}

static void end_transaction(ToyServer *s, bool commit)
{
    if (commit)
        must(buf_append(&s->committed, buf_view(&s->pending)));
    buf_truncate(&s->pending, 0);
    for (int i = 0; i < TOY_NAMES; i++) {
        ToyPortal *p = &s->portals[i];

        p->kept = p->kept || (commit && p->holds);
        p->used = p->used && p->kept;
    }
    s->status = 'I';
}

/* --- rows ---------------------------------------------------------------------------------- */

/* The text whose rows come back: what EXECUTE and FETCH refer to. */
static Bytes row_text(ToyServer *s, Bytes text)
{
    ToySql sql[TOY_STATEMENTS];

    for (int depth = 0; depth < 4; depth++) {
        if (toy_split(text, sql) == 0)
            return text;
        const int i = find_statement(s, sql[0].name);
        const ToyPortal *p = find_portal(s, sql[0].name);

        if (sql[0].kind == STATEMENT_EXECUTE && i >= 0)
            text = view(&s->statements[i].text);
        else if (sql[0].kind == STATEMENT_FETCH && p != NULL)
            text = view(&p->text);
        else
            break;
    }
    return text;
}

static Bytes columns_of(Bytes text)
{
    ToySql sql[TOY_STATEMENTS];

    if (toy_split(text, sql) == 0 || sql[0].kind != STATEMENT_SELECT)
        return (Bytes){ 0 };
    const bool rows = text_eq(sql[0].word, LIT("select")) || text_eq(sql[0].word, LIT("rows"));

    return text_starts(sql[0].word, LIT("hold")) ? LIT("id") : rows ? sql[0].name : (Bytes){ 0 };
}

static uint32_t rows_of(Bytes text)
{
    return columns_of(text).len == 0 ? 0 : text_starts(text, LIT("rows")) ? 3 : 1;
}

static size_t count_columns(Bytes columns)
{
    Bytes column;
    size_t count = 0;

    for (; toy_column(&columns, &column); count++)
        continue;
    return count;
}

static void put_shape(ToyServer *s, Bytes text, bool binary)
{
    Bytes columns = columns_of(text), column;
    size_t mark;

    if (columns.len == 0) {
        must(pg_message(&s->out, 'n', (Bytes){ 0 }));
        return;
    }
    must(pg_open(&s->out, 'T', &mark));
    must(buf_u16(&s->out, (uint16_t)count_columns(columns)));
    for (uint16_t i = 1; toy_column(&columns, &column); i++) {
        const bool computed = text_eq(column, LIT("calc"));

        must(pg_string(&s->out, column));
        must(buf_u32(&s->out, computed ? 0 : 1000));
        must(buf_u16(&s->out, computed ? 0 : i));
        must(buf_u32(&s->out, 25));
        must(buf_u16(&s->out, UINT16_MAX));
        must(buf_u32(&s->out, text_eq(column, LIT("ssn")) ? 15 : UINT32_MAX));
        must(buf_u16(&s->out, binary));
    }
    pg_close(&s->out, mark);
}

static void put_row(ToyServer *s, Bytes text)
{
    static const Bytes PROTECTED[] = { LIT_INIT("ssn"), LIT_INIT("grow"), LIT_INIT("gone") };
    Bytes columns = columns_of(text), column;
    size_t mark;

    must(pg_open(&s->out, 'D', &mark));
    must(buf_u16(&s->out, (uint16_t)count_columns(columns)));
    while (toy_column(&columns, &column)) {
        Bytes value = LIT("7");

        for (size_t i = 0; i < COUNT_OF(PROTECTED); i++)
            value = text_eq(column, PROTECTED[i]) ? LIT(CANARY) : value;
        if (text_eq(column, LIT("nul"))) {
            must(buf_u32(&s->out, UINT32_MAX));
            continue;
        }
        must(buf_u32(&s->out, (uint32_t)value.len));
        must(buf_append(&s->out, value));
    }
    pg_close(&s->out, mark);
}

/* --- running --------------------------------------------------------------------------------- */

static void put_error(ToyServer *s, Failure f)
{
    size_t mark;

    must(pg_open(&s->out, 'E', &mark));
    must(text_format(&s->out, "SERROR%cVERROR%cC%s%cM%s%cDKey (ssn)=(" CANARY ")%cFx.c%c%c", 0, 0,
                     f.state, 0, f.text, 0, 0, 0, 0));
    pg_close(&s->out, mark);
    if (s->status == 'T')
        s->status = 'E';
    else if (s->status == 'I')
        end_transaction(s, false);
}

static bool ends_transaction(const ToySql *sql)
{
    return sql->kind == STATEMENT_COMMIT || sql->kind == STATEMENT_ROLLBACK ||
           text_eq(sql->word, LIT("rollbackto"));
}

static Failure check_syntax(Bytes text)
{
    if (text_starts(text, LIT("failparse")) || text_starts(text, LIT("chaperone refused")))
        return (Failure){ "42601", "syntax error" };
    return NONE;
}

static Failure check_state(const ToyServer *s, Bytes text)
{
    ToySql sql[TOY_STATEMENTS];

    if (s->status != 'E' || (toy_split(text, sql) == 1 && ends_transaction(&sql[0])))
        return NONE;
    return (Failure){ "25P02", "current transaction is aborted" };
}

static const char *run_control(ToyServer *s, const ToySql *sql)
{
    const bool all = text_eq(sql->name, LIT("all"));

    if (sql->kind == STATEMENT_BEGIN || text_eq(sql->word, LIT("rollbackto"))) {
        s->status = 'T';
        return sql->kind == STATEMENT_BEGIN ? "BEGIN" : "ROLLBACK";
    }
    if (sql->kind == STATEMENT_COMMIT || sql->kind == STATEMENT_ROLLBACK) {
        const bool commit = sql->kind == STATEMENT_COMMIT && s->status != 'E';

        end_transaction(s, commit);
        return commit ? "COMMIT" : "ROLLBACK";
    }
    if (sql->kind == STATEMENT_DISCARD || (sql->kind == STATEMENT_DEALLOCATE && all)) {
        for (int i = 0; i < TOY_NAMES; i++)
            s->statements[i].used = false;
        return sql->kind == STATEMENT_DISCARD ? "DISCARD ALL" : "DEALLOCATE ALL";
    }
    if (sql->kind == STATEMENT_CLOSE && all) {
        for (int i = 0; i < TOY_NAMES; i++)
            s->portals[i].used = false;
        return "CLOSE CURSOR ALL";
    }
    return sql->kind == STATEMENT_SET         ? "SET"
           : sql->kind == STATEMENT_SAVEPOINT ? "SAVEPOINT"
                                              : NULL;
}

static Failure run_names(ToyServer *s, const ToySql *sql, const char **ret_tag)
{
    const bool open = text_eq(sql->word, LIT("copen")), prep = text_eq(sql->word, LIT("cprep"));
    const bool has_statement = find_statement(s, sql->name) >= 0;
    const bool has_portal = find_portal(s, sql->name) != NULL;

    if ((sql->kind == STATEMENT_PREPARE || prep) && has_statement)
        return (Failure){ "42P05", "prepared statement already exists" };
    if (sql->kind == STATEMENT_DECLARE && has_portal)
        return (Failure){ "42P03", "cursor already exists" };
    if ((sql->kind == STATEMENT_DEALLOCATE || sql->kind == STATEMENT_EXECUTE) && !has_statement)
        return (Failure){ "26000", "prepared statement does not exist" };
    if ((sql->kind == STATEMENT_CLOSE || sql->kind == STATEMENT_FETCH) && !has_portal)
        return (Failure){ "34000", "cursor does not exist" };
    if (sql->kind == STATEMENT_DEALLOCATE)
        drop_statement(s, sql->name);
    if (sql->kind == STATEMENT_CLOSE)
        drop_portal(s, sql->name);
    if (sql->kind == STATEMENT_PREPARE || prep)
        (void)put_statement(s, sql->name, sql->inner);
    if (sql->kind == STATEMENT_DECLARE || open) {
        ToyPortal *p = put_portal(s, sql->name, sql->inner);
        if (p != NULL)
            p->holds = sql->holds;
    }
    *ret_tag = sql->kind == STATEMENT_PREPARE      ? "PREPARE"
               : sql->kind == STATEMENT_DECLARE    ? "DECLARE CURSOR"
               : sql->kind == STATEMENT_DEALLOCATE ? "DEALLOCATE"
               : sql->kind == STATEMENT_CLOSE      ? "CLOSE CURSOR"
               : sql->kind == STATEMENT_INSERT     ? "INSERT 0 1"
                                                   : "SELECT 1";
    return NONE;
}

static void note_run(ToyServer *s, Bytes text)
{
    must(buf_append(&s->executed, text));
    must(buf_byte(&s->executed, '\n'));
}

/* One statement; its rows, at most `limit` (0: all) of them behind those `sent` already. */
static Failure run(ToyServer *s, const ToySql *sql, ToyPortal *portal, uint32_t limit)
{
    const Bytes rows = row_text(s, sql->whole);
    const uint32_t total = rows_of(rows);
    ToySql inner[TOY_STATEMENTS];
    const char *tag = NULL;
    uint32_t count = 0, sent = portal != NULL ? portal->sent : 0;

    note_run(s, sql->whole);
    if (rows.ptr != sql->whole.ptr)
        note_run(s, rows);
    if (text_eq(sql->word, LIT("fail")) || text_eq(rows, LIT("fail")))
        return (Failure){ "22012", "division by zero" };
    if (text_eq(sql->word, LIT("leak")))
        return (Failure){ "22P02", "invalid input syntax for type integer: \"" CANARY "\"" };
    if (sql->kind == STATEMENT_COPY_FROM) {
        must(pg_message(&s->out, 'G', LIT("\0\0\1\0\0")));
        s->copying = portal != NULL ? 'E' : 'Q';
        return NONE;
    }
    tag = run_control(s, sql);
    if (tag == NULL) {
        const Failure f = run_names(s, sql, &tag);
        if (f.state != NULL)
            return f;
    }
    if (toy_split(rows, inner) > 0 && inner[0].kind == STATEMENT_INSERT) {
        must(buf_append(&s->pending, inner[0].name));
        must(buf_byte(&s->pending, ' '));
    }
    for (; sent < total && (limit == 0 || count < limit); sent++, count++)
        put_row(s, rows);
    if (portal != NULL)
        portal->sent = sent;
    if (total > 0 && limit > 0 && count == limit)
        must(pg_message(&s->out, 's', (Bytes){ 0 }));
    else
        must(pg_complete(&s->out, text_of(tag)));
    return NONE;
}

/* --- messages ----------------------------------------------------------------------------------
 */

static Failure on_parse(ToyServer *s, Reader *r)
{
    Bytes name, text;

    must(reader_string(r, &name));
    must(reader_string(r, &text));
    if (name.len == 0)
        drop_statement(s, name);
    Failure f = check_syntax(text);
    f = f.state == NULL ? check_state(s, text) : f;
    if (f.state == NULL && find_statement(s, name) >= 0)
        f = (Failure){ "42P05", "prepared statement already exists" };
    if (f.state == NULL && !put_statement(s, name, text))
        f = (Failure){ "53200", "out of memory" };
    if (f.state == NULL)
        must(pg_message(&s->out, '1', (Bytes){ 0 }));
    return f;
}

static Failure on_bind(ToyServer *s, Reader *r)
{
    Bytes portal, name, values;
    uint16_t count, format = 0;

    must(reader_string(r, &portal));
    must(reader_string(r, &name));
    must(reader_u16(r, &count));
    must(reader_bytes(r, 2u * count, &values));
    must(reader_u16(r, &count));
    for (uint16_t i = 0; i < count; i++) {
        uint32_t len;
        must(reader_u32(r, &len));
        if (len != UINT32_MAX)
            must(reader_bytes(r, len, &values));
    }
    must(reader_u16(r, &count));
    if (count > 0)
        must(reader_u16(r, &format));
    const int i = find_statement(s, name);
    if (i < 0)
        return (Failure){ "26000", "prepared statement does not exist" };
    const Failure f = check_state(s, view(&s->statements[i].text));
    if (f.state != NULL)
        return f;
    if (portal.len > 0 && find_portal(s, portal) != NULL)
        return (Failure){ "42P03", "cursor already exists" };
    ToyPortal *p = put_portal(s, portal, view(&s->statements[i].text));
    if (p == NULL)
        return (Failure){ "53200", "out of memory" };
    p->binary = format == 1;
    must(pg_message(&s->out, '2', (Bytes){ 0 }));
    return NONE;
}

static Failure on_describe(ToyServer *s, Reader *r)
{
    uint8_t kind;
    Bytes name;

    must(reader_u8(r, &kind));
    must(reader_string(r, &name));
    const int i = find_statement(s, name);
    const ToyPortal *p = find_portal(s, name);
    if (kind == 'S' && i < 0)
        return (Failure){ "26000", "prepared statement does not exist" };
    if (kind == 'P' && p == NULL)
        return (Failure){ "34000", "portal does not exist" };
    if (s->status == 'E')
        return (Failure){ "25P02", "current transaction is aborted" };
    if (kind == 'S') {
        must(pg_message(&s->out, 't', LIT("\0\0")));
        put_shape(s, row_text(s, view(&s->statements[i].text)), false);
    } else {
        put_shape(s, row_text(s, view(&p->text)), p->binary);
    }
    return NONE;
}

static Failure on_execute(ToyServer *s, Reader *r)
{
    ToySql sql[TOY_STATEMENTS];
    uint32_t limit;
    Bytes name;

    must(reader_string(r, &name));
    must(reader_u32(r, &limit));
    ToyPortal *p = find_portal(s, name);
    if (p == NULL)
        return (Failure){ "34000", "portal does not exist" };
    const Failure f = check_state(s, view(&p->text));
    if (f.state != NULL)
        return f;
    const ToyText text = p->text; /* what runs may end the portal itself */
    if (toy_split(view(&text), sql) == 0) {
        must(pg_message(&s->out, 'I', (Bytes){ 0 }));
        return NONE;
    }
    return run(s, &sql[0], p, limit);
}

static void on_close(ToyServer *s, Reader *r)
{
    uint8_t kind;
    Bytes name;

    must(reader_u8(r, &kind));
    must(reader_string(r, &name));
    kind == 'S' ? drop_statement(s, name) : drop_portal(s, name);
    must(pg_message(&s->out, '3', (Bytes){ 0 }));
}

static void be_ready(ToyServer *s)
{
    if (s->status == 'I')
        end_transaction(s, true);
    must(pg_ready(&s->out, s->status));
}

static void on_query(ToyServer *s, Reader *r)
{
    ToySql sql[TOY_STATEMENTS];
    Bytes text;

    must(reader_string(r, &text));
    drop_statement(s, (Bytes){ 0 });
    drop_portal(s, (Bytes){ 0 });
    const size_t count = toy_split(text, sql);
    Failure f = check_syntax(text);
    for (size_t i = 0; f.state == NULL && i < count; i++) {
        f = check_state(s, sql[i].whole);
        const Bytes rows = row_text(s, sql[i].whole);
        if (f.state == NULL && rows_of(rows) > 0)
            put_shape(s, rows, false);
        if (f.state == NULL)
            f = run(s, &sql[i], NULL, 0);
    }
    if (s->copying != 0)
        return;
    if (f.state != NULL)
        put_error(s, f);
    else if (count == 0)
        must(pg_message(&s->out, 'I', (Bytes){ 0 }));
    be_ready(s);
}

/* Flush and Sync are ignored; anything else but data ends it. */
static void on_copy(ToyServer *s, const PgFrame *frame)
{
    const uint8_t asked_by = s->copying;

    if (frame->tag == 'd')
        must(buf_append(&s->pending, frame->body));
    if (frame->tag == 'd' || frame->tag == 'H' || frame->tag == 'S')
        return;
    s->copying = 0;
    if (frame->tag == 'c') {
        must(buf_byte(&s->pending, ' '));
        must(pg_complete(&s->out, LIT("COPY 1")));
    } else {
        put_error(s, (Failure){ "57014", "COPY from stdin failed" });
        s->skipping = asked_by == 'E';
    }
    if (asked_by == 'Q')
        be_ready(s);
}

static void on_message(ToyServer *s, const PgFrame *frame)
{
    Reader r = reader_of(frame->body);
    Failure f = NONE;

    if (s->copying != 0) {
        on_copy(s, frame);
        return;
    }
    if (s->skipping && frame->tag != 'S')
        return;
    switch (frame->tag) {
    case 'P':
        f = on_parse(s, &r);
        break;
    case 'B':
        f = on_bind(s, &r);
        break;
    case 'D':
        f = on_describe(s, &r);
        break;
    case 'E':
        f = on_execute(s, &r);
        break;
    case 'C':
        on_close(s, &r);
        break;
    case 'Q':
        on_query(s, &r);
        break;
    case 'S':
        s->skipping = false;
        be_ready(s);
        break;
    case 'H':
        break;
    default:
        abort(); /* nothing else may ever come through */
    }
    if (f.state != NULL) {
        put_error(s, f);
        s->skipping = true;
    }
}

void toy_server_take(ToyServer *s, Bytes bytes)
{
    PgFrame frame;

    must(buf_append(&s->in, bytes));
    while (pg_frame_next(buf_view(&s->in), PG_TAGGED, 64 << 20, &frame) == OK) {
        on_message(s, &frame);
        s->messages++;
        buf_consume(&s->in, frame.size);
    }
}
