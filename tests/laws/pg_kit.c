#include "pg_kit.h"

#include "base/reader.h"
#include "base/text.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_write.h"
#include "test.h"
#include "toy_sql.h"

#include <string.h>

typedef struct Toy {
    Judged judged;
    Meaning meaning;
    Statement statements[TOY_STATEMENTS];
    size_t text_len;
    uint8_t text[];
} Toy;

static void must(Err err)
{
    EXPECT(err == OK);
}

/* --- the toy judge ------------------------------------------------------------------------ */

static const CopyForm *copy_form(Bytes word)
{
    static const CopyForm TEXT = { .delimiter = '\t', .header = true, .null = LIT_INIT("\\N") };
    static const CopyForm CSV = {
        .format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"', .quote_all = true
    };
    static const CopyForm BINARY = { .format = COPY_BINARY };

    return text_eq(word, LIT("copycsv")) ? &CSV : text_eq(word, LIT("copybin")) ? &BINARY : &TEXT;
}

static Statement statement_of(const ToySql *sql)
{
    static const uint32_t TEXT_TYPE = 25;
    static const CopyForm ONE = { .delimiter = ',', .types = &TEXT_TYPE, .type_count = 1 };
    static const CopyForm TWO = { .delimiter = ',', .type_count = 2 };
    Statement s = {
        .kind = sql->kind, .name = sql->name, .inner = sql->inner, .holds = sql->holds
    };

    s.effects = sql->kind == STATEMENT_INSERT   ? EFFECT_WRITE
                : sql->kind == STATEMENT_SELECT ? EFFECT_READ
                                                : 0;
    if (sql->kind == STATEMENT_COPY_TO) {
        s.effects = EFFECT_READ;
        s.runs = sql->inner;
        s.copy = copy_form(sql->word);
    }
    if (sql->kind == STATEMENT_COPY_FROM) {
        s.effects = EFFECT_WRITE;
        s.copy = text_eq(sql->name, LIT("two")) ? &TWO : &ONE;
    }
    if (sql->kind == STATEMENT_EXECUTE)
        s.refers = REFER_PREPARED;
    if (sql->kind == STATEMENT_FETCH)
        s.refers = REFER_CURSOR;
    return s;
}

static Err understand(Kit *k, Bytes text, Judged **ret)
{
    ToySql sql[TOY_STATEMENTS];
    Toy *toy = calloc(1, sizeof *toy + text.len);

    if (toy == NULL)
        return ERR_LIMIT;
    if (text.len > 0)
        memcpy(toy->text, text.ptr, text.len);
    toy->judged = (Judged){ .refs = 1, .text = { toy->text, text.len }, .meaning = &toy->meaning };
    toy->meaning.understood = true;
    toy->meaning.statements = toy->statements;
    toy->meaning.statement_count = toy_split(toy->judged.text, sql);
    for (size_t i = 0; i < toy->meaning.statement_count; i++)
        toy->statements[i] = statement_of(&sql[i]);
    k->alive++;
    *ret = &toy->judged;
    return OK;
}

static void keep(void *ctx, Judged *judged)
{
    (void)ctx;
    judged->refs++;
}

static void drop(void *ctx, Judged *judged)
{
    Kit *k = ctx;

    EXPECT(judged->refs > 0);
    if (--judged->refs > 0)
        return;
    k->alive--;
    free(judged);
}

static Ruling rule_on(const Meaning *m, Bytes text)
{
    ToySql sql[TOY_STATEMENTS];
    const size_t count = toy_split(text, sql);
    Ruling worst = RULING_ALLOW;

    EXPECT(count == m->statement_count);
    for (size_t i = 0; i < count; i++) {
        if (text_starts(sql[i].word, LIT("deny")))
            return RULING_DENY;
        if (text_starts(sql[i].word, LIT("hold")))
            worst = RULING_HOLD;
    }
    return worst;
}

/* What EXECUTE and FETCH run is judged by the text that was kept. */
static Err follow(Kit *k, GateRuling *ret)
{
    for (int depth = 0; depth < 4; depth++) {
        const Meaning *m = ret->judged->meaning;
        const Statement *s = m->statement_count > 0 ? &m->statements[0] : NULL;
        Judged *inner;
        Bytes text;

        if (s == NULL || s->refers == REFER_NOTHING)
            return OK;
        ret->needs_quiet = true;
        if (m->statement_count > 1 || !PG_PROTO.kept(&k->pg, s->refers, s->name, &text)) {
            ret->verdict = (Verdict){ .fault = { .code = CHP_3103 } };
            return OK;
        }
        TRY(understand(k, text, &inner));
        drop(k, ret->judged);
        ret->judged = inner;
        ret->verdict.ruling = rule_on(inner->meaning, inner->text);
    }
    return OK;
}

static Err judge(void *ctx, const Command *command, GateRuling *ret)
{
    Kit *k = ctx;

    ret->decision = LIT("d-1");
    ret->verdict = (Verdict){ .fault = { .code = CHP_3101, .fact = LIT("no") } };
    if (command->unsupported != NULL) {
        ret->verdict.fault.code = CHP_5501;
        return OK;
    }
    TRY(understand(k, command->text, &ret->judged));
    ret->verdict.ruling = rule_on(ret->judged->meaning, command->text);
    Err err = OK;
    if (command->kind != COMMAND_PREPARE && ret->verdict.ruling != RULING_DENY)
        err = follow(k, ret);
    if (err != OK) {
        drop(k, ret->judged);
        ret->judged = NULL;
        return err;
    }
    if (ret->verdict.ruling == RULING_HOLD && (k->approved || command->kind == COMMAND_PREPARE))
        ret->verdict.ruling = RULING_ALLOW;
    if (text_starts(command->text, LIT("local"))) {
        k->local = (LocalAnswer){ LIT("SHOW"), true, LIT("chaperone.masked"), LIT("ssn") };
        if (text_starts(command->text, LIT("localset")))
            k->local = (LocalAnswer){ .tag = LIT("SET") };
        ret->local = &k->local;
    }
    return OK;
}

static Err write_command(void *ctx, const Command *command, const GateRuling *ruling)
{
    Kit *k = ctx;

    (void)ruling;
    k->prepared += command->kind == COMMAND_PREPARE;
    k->ran += command->kind != COMMAND_PREPARE;
    return OK;
}

static Err write_output(void *ctx, Bytes bytes)
{
    (void)ctx;
    (void)bytes;
    return OK;
}

static Err ask(void *ctx, const Command *command, const GateRuling *ruling)
{
    Kit *k = ctx;

    (void)command;
    (void)ruling;
    EXPECT(k->pg.queue.count == 0); /* nobody is asked while the target may still fail */
    k->asked++;
    return OK;
}

/* --- what the codec asks --------------------------------------------------------------------- */

static Err plan(void *ctx, const RowSource *source, const WireColumn *columns, size_t count,
                ColumnMask *ret_masks)
{
    (void)ctx;
    EXPECT(source->judged != NULL);
    for (size_t i = 0; i < count; i++) {
        const Bytes name = columns[i].name;
        const bool masked =
            text_eq(name, LIT("ssn")) || text_eq(name, LIT("grow")) || text_eq(name, LIT("gone"));

        if (text_eq(name, LIT("never")))
            return ERR_REFUSED;
        ret_masks[i] = (ColumnMask){ .method = masked ? MASK_REDACT : MASK_CLEAR, .scope = name };
        if (text_eq(name, LIT("forgotten")))
            ret_masks[i].method = MASK_WITHHOLD;
        ret_masks[i].scope = text_eq(name, LIT("grow"))   ? LIT("grow")
                             : text_eq(name, LIT("gone")) ? LIT("gone")
                                                          : LIT("shrink");
    }
    return OK;
}

static Err mask(void *ctx, const Cell *cell, Buf *out, bool *ret_null)
{
    (void)ctx;
    EXPECT(cell->mask->method == MASK_REDACT);
    *ret_null = text_eq(cell->mask->scope, LIT("gone"));
    if (*ret_null)
        return buf_append(out, LIT("half a value")); /* must not leave */
    if (text_eq(cell->mask->scope, LIT("grow")))
        return buf_append(out, LIT("a mask that is much longer than what it hides"));
    return cell->value.len == 0 ? OK : buf_append(out, LIT("***"));
}

static void receipt(void *ctx, const Receipt *r)
{
    Kit *k = ctx;

    k->receipts++;
    k->last = *r;
    EXPECT(r->tag.len <= sizeof k->last_tag);
    if (r->tag.len > 0)
        memcpy(k->last_tag, r->tag.ptr, r->tag.len);
    k->last.tag.ptr = k->last_tag;
}

static void completed(void *ctx, const RowSource *source)
{
    Kit *k = ctx;

    EXPECT(source->statement < source->judged->meaning->statement_count);
    k->completed++;
}

static void ready(void *ctx, bool in_transaction, bool failed)
{
    Kit *k = ctx;

    k->readies++;
    k->own_transaction = in_transaction;
    k->last_failed = failed;
}

static bool notice(void *ctx, Fault *ret_fault)
{
    (void)ctx;
    (void)ret_fault;
    return false;
}

static Err given(void *ctx, Bytes data)
{
    Kit *k = ctx;

    return buf_append(&k->given, data);
}

static bool is_mask(void *ctx, const Value *value)
{
    (void)ctx;
    return text_eq(value->bytes, LIT("***"));
}

/* --- the kit ------------------------------------------------------------------------------------
 */

void kit_init(Kit *k)
{
    *k = (Kit){ 0 };
    const ProtoPorts ports = { k,         keep,  drop,   plan,  mask,   receipt,
                               completed, ready, notice, given, is_mask };

    arena_init(&k->arena, 4 << 20);
    pg_init(&k->pg, &k->arena, &ports, (SipKey){ 0 });
    k->gate = (Gate){ .proto = &PG_PROTO,
                      .proto_state = &k->pg,
                      .ports = { k, judge, drop, write_command, write_output, ask } };
    buf_init(&k->gate.wire.from_client, 17 << 20);
    buf_init(&k->gate.wire.to_server, 40 << 20);
    buf_init(&k->gate.wire.from_server, 2 << 20);
    buf_init(&k->gate.wire.to_client, 8 << 20);
    buf_init(&k->client, 64 << 20);
    buf_init(&k->target, 64 << 20);
    buf_init(&k->recorded, 64 << 20);
    buf_init(&k->given, 64 << 20);
    toy_server_init(&k->server);
}

void kit_done(Kit *k)
{
    pg_done(&k->pg);
    arena_done(&k->arena);
    EXPECT(k->alive == 0);
    buf_done(&k->gate.wire.from_client);
    buf_done(&k->gate.wire.to_server);
    buf_done(&k->gate.wire.from_server);
    buf_done(&k->gate.wire.to_client);
    buf_done(&k->client);
    buf_done(&k->target);
    buf_done(&k->recorded);
    buf_done(&k->given);
    toy_server_done(&k->server);
}

/* As the worker does: what leaves, leaves whole turns. */
static Err take_output(Kit *k, Err err)
{
    Wire *w = &k->gate.wire;
    const Bytes down = buf_view(&w->to_client), up = buf_view(&w->to_server);

    TRY(gate_write_down_output(&k->gate));
    TRY(buf_append(&k->client, down));
    TRY(buf_append(&k->target, up));
    if (!k->scripted)
        TRY(buf_append(&k->server.in, up));
    gate_client_took(&k->gate, down.len);
    buf_consume(&w->to_server, up.len);
    return err;
}

static void record(Kit *k, bool server, Bytes bytes)
{
    if (!k->records || bytes.len == 0)
        return;
    EXPECT(k->turn_count < KIT_TURNS);
    k->turns[k->turn_count++] = (Turn){ server, buf_len(&k->recorded), bytes.len };
    must(buf_append(&k->recorded, bytes));
}

Err kit_client(Kit *k, Bytes bytes)
{
    record(k, false, bytes);
    do {
        const size_t len = k->piece > 0 && k->piece < bytes.len ? k->piece : bytes.len;

        TRY(buf_append(&k->gate.wire.from_client, bytes_upto(bytes, len)));
        TRY(take_output(k, gate_client_spoke(&k->gate)));
        bytes = bytes_from(bytes, len);
    } while (bytes.len > 0);
    return OK;
}

static Err stop(Kit *k)
{
    const Fault fault = { .code = CHP_3402, .rule = LIT("recording-budget") };
    bool stopped = false;

    TRY(k->stops ? gate_stop(&k->gate, &fault, LIT("d-2"), &stopped) : OK);
    k->stopped += stopped;
    return OK;
}

Err kit_server(Kit *k, Bytes bytes)
{
    record(k, true, bytes);
    do {
        const size_t len = k->piece > 0 && k->piece < bytes.len ? k->piece : bytes.len;

        TRY(buf_append(&k->gate.wire.from_server, bytes_upto(bytes, len)));
        TRY(take_output(k, gate_server_spoke(&k->gate)));
        TRY(stop(k));
        bytes = bytes_from(bytes, len);
    } while (bytes.len > 0);
    return OK;
}

Err kit_answer(Kit *k)
{
    for (;;) {
        toy_server_take(&k->server, (Bytes){ 0 });
        const Bytes out = buf_view(&k->server.out);

        if (out.len == 0)
            return OK;
        const Err err = kit_server(k, out);
        buf_consume(&k->server.out, out.len);
        TRY(err);
    }
}

/* --- scripts ------------------------------------------------------------------------------------
 */

static Bytes cut(Bytes *rest, Bytes at)
{
    const size_t end = text_find(*rest, at);
    const Bytes before = text_trim(bytes_upto(*rest, end));

    *rest = text_trim(bytes_from(*rest, end < rest->len ? end + at.len : end));
    return before;
}

static void say_bind(Buf *out, Bytes portal, Bytes name, bool binary)
{
    size_t mark;

    must(pg_open(out, 'B', &mark));
    must(pg_string(out, portal));
    must(pg_string(out, name));
    must(buf_u16(out, 0));
    must(buf_u16(out, 0));
    must(buf_u16(out, binary));
    if (binary)
        must(buf_u16(out, 1));
    pg_close(out, mark);
}

static void say_execute(Buf *out, Bytes portal, Bytes limit)
{
    uint64_t rows = 0;
    size_t mark;

    if (limit.len > 0)
        must(text_u64(limit, UINT32_MAX, &rows));
    must(pg_open(out, 'E', &mark));
    must(pg_string(out, portal));
    must(buf_u32(out, (uint32_t)rows));
    pg_close(out, mark);
}

static void say_named(Buf *out, uint8_t tag, uint8_t kind, Bytes name)
{
    size_t mark;

    must(pg_open(out, tag, &mark));
    must(buf_byte(out, kind));
    must(pg_string(out, name));
    pg_close(out, mark);
}

void say_step(Buf *out, Bytes step)
{
    const uint8_t tag = step.ptr[0];
    Bytes rest = bytes_from(step, 1);

    if (tag == 'D' || tag == 'C') {
        say_named(out, tag, rest.ptr[0], text_trim(bytes_from(rest, 1)));
        return;
    }
    if (tag == 'd' || tag == 'c' || tag == 'f') {
        must(pg_message(out, tag, tag == 'd' ? text_trim(rest) : tag == 'c' ? rest : LIT("x\0")));
        return;
    }
    if (tag == 'Q') {
        must(pg_query(out, text_trim(rest)));
        return;
    }
    if (tag == 'S' || tag == 'H' || tag == 'X' || tag == 'F') {
        must(pg_message(out, tag, (Bytes){ 0 }));
        return;
    }
    const Bytes first = cut(&rest, LIT(","));
    if (tag == 'P')
        must(pg_parse(out, first, rest));
    else if (tag == 'E')
        say_execute(out, first, rest);
    else
        say_bind(out, first, rest, tag == 'b');
}

static Err person(Kit *k, bool yes)
{
    const Fault no = { .code = CHP_3203 };

    EXPECT(k->gate.wait == GATE_WAITS_PERSON);
    k->approved = yes;
    const Err err = yes ? gate_resume(&k->gate) : gate_refuse_held(&k->gate, &no, LIT("d-2"));
    k->approved = false;
    return take_output(k, err);
}

Err kit_script(Kit *k, const char *script)
{
    CLEANUP(buf_done) Buf said;
    Bytes rest = text_of(script);

    buf_init(&said, 1 << 20);
    while (rest.len > 0) {
        const Bytes step = cut(&rest, LIT("|"));
        const bool message =
            step.ptr[0] >= 'A' && !text_eq(step, LIT("yes")) && !text_eq(step, LIT("no"));

        if (message)
            say_step(&said, step);
        if (message && rest.len > 0)
            continue;
        TRY(kit_client(k, buf_view(&said)));
        buf_truncate(&said, 0);
        if (text_eq(step, LIT("!")))
            TRY(kit_answer(k));
        else if (!message)
            TRY(person(k, text_eq(step, LIT("yes"))));
    }
    return OK;
}

static Bytes state_of(Bytes body)
{
    Reader r = reader_of(body);
    Bytes text, state = { 0 };
    uint8_t code;

    while (reader_u8(&r, &code) == OK && code != 0 && reader_string(&r, &text) == OK)
        if (code == 'C')
            state = text;
    return state;
}

void kit_summary(Bytes stream, Buf *out)
{
    PgFrame frame;

    while (pg_frame_next(stream, PG_TAGGED, 64 << 20, &frame) == OK) {
        must(text_format(out, "%s%c", buf_len(out) > 0 ? " " : "", frame.tag));
        if (frame.tag == 'Z')
            must(buf_append(out, frame.body));
        if (frame.tag == 'E' && frame.body.len > 0 && frame.body.ptr[0] == 'S')
            must(buf_append(out, state_of(frame.body)));
        stream = bytes_from(stream, frame.size);
    }
    if (stream.len > 0)
        must(buf_append(out, LIT(" rest")));
}
