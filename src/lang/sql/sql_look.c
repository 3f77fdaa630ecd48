#include "lang/sql/sql_look.h"

#include "base/text.h"
#include "lang/sql/lineage.h"
#include "lang/sql/sql_bounds.h"
#include "model/limits.h"

#include <pg_query.h>
#include <string.h>

enum { TREE_BUDGET = 256 << 20 /* tree and lineage of one text; 4 KiB of SQL need under 4 MiB */ };

static void *tree_alloc(void *arena, size_t size)
{
    void *mem;

    return arena_alloc(arena, size, &mem) == OK ? mem : NULL;
}

/* The arena frees all at once. */
static void tree_free(void *arena, void *mem)
{
    (void)arena;
    (void)mem;
}

/* libpg_query counts characters, from 1. */
static uint32_t byte_offset(Bytes text, int cursor)
{
    size_t at = 0;

    for (int seen = 1; at < text.len && seen < cursor; seen++)
        for (at++; at < text.len && (text.ptr[at] & 0xc0) == 0x80;)
            at++;
    return (uint32_t)at;
}

static Err parse(Look *l, const char *text, PgQuery__ParseResult **ret)
{
    ProtobufCAllocator allocator = { tree_alloc, tree_free, l->arena };
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(text);
    Err err = OK;

    *ret = NULL;
    if (parsed.error != NULL) {
        err = look_refuse(l, 0, "@", text_of(parsed.error->message));
        l->why_position = byte_offset(l->text, parsed.error->cursorpos);
    } else {
        *ret = pg_query__parse_result__unpack(&allocator, parsed.parse_tree.len,
                                              (const uint8_t *)parsed.parse_tree.data);
        if (*ret == NULL)
            err = look_refuse(l, 0, "the statement is too complex", LIT(""));
    }
    pg_query_free_protobuf_parse_result(parsed);
    return err;
}

/* --- the Meaning, in the caller's arena --- */

static Err keep(Look *l, const void *from, size_t count, size_t size, void **ret)
{
    TRY(arena_array(l->out, count, size, ret));
    if (count > 0)
        memcpy(*ret, from, count * size);
    return OK;
}

static Err keep_names(Look *l)
{
    for (size_t i = 0; i < l->relation_count; i++) {
        TRY(arena_copy(l->out, l->relations[i].schema, &l->relations[i].schema));
        TRY(arena_copy(l->out, l->relations[i].name, &l->relations[i].name));
    }
    for (size_t i = 0; i < l->value_count; i++)
        TRY(arena_copy(l->out, l->values[i].literal, &l->values[i].literal));
    for (size_t i = 0; i < l->unknown_count; i++) {
        TRY(arena_copy(l->out, l->unknown[i].schema, &l->unknown[i].schema));
        TRY(arena_copy(l->out, l->unknown[i].name, &l->unknown[i].name));
    }
    return OK;
}

static Err keep_statements(Look *l, Meaning *m)
{
    for (size_t i = 0; i < l->statement_count; i++) {
        Statement *s = &l->statements[i];
        void *mem;

        TRY(arena_copy(l->out, s->name, &s->name));
        TRY(arena_copy(l->out, s->inner, &s->inner));
        TRY(arena_copy(l->out, s->runs, &s->runs));
        TRY(arena_array(l->out, s->output_count, sizeof(Output), &mem));
        for (size_t k = 0; k < s->output_count; k++) {
            ((Output *)mem)[k] = s->outputs[k];
            TRY(arena_copy(l->out, s->outputs[k].name, &((Output *)mem)[k].name));
        }
        s->outputs = mem;
        m->effects |= s->effects;
    }
    void *kept;

    TRY(keep(l, l->statements, l->statement_count, sizeof *l->statements, &kept));
    m->statements = kept;
    return OK;
}

static Err keep_lists(Look *l, Meaning *m)
{
    void *kept;

    TRY(keep(l, l->relations, l->relation_count, sizeof *l->relations, &kept));
    m->relations = kept;
    m->relation_count = l->relation_count;
    TRY(keep(l, l->uses, l->use_count, sizeof *l->uses, &kept));
    m->uses = kept;
    m->use_count = l->use_count;
    TRY(keep(l, l->values, l->value_count, sizeof *l->values, &kept));
    m->values = kept;
    m->value_count = l->value_count;
    return OK;
}

static Err conclude(Look *l, Err err, Meaning *m)
{
    void *kept;

    TRY(keep_names(l));
    TRY(keep(l, l->unknown, l->unknown_count, sizeof *l->unknown, &kept));
    m->unknown = kept;
    m->unknown_count = l->unknown_count;
    m->unknown_position = l->unknown_position;
    if (err != OK || l->unknown_count > 0) {
        m->why_not = l->why != NULL ? l->why : "a relation is not known";
        m->why_not_position = l->why_position;
        m->effects = EFFECT_OPAQUE | EFFECT_WRITE;
        return OK;
    }
    TRY(keep_statements(l, m));
    TRY(keep_lists(l, m));
    m->statement_count = l->statement_count;
    m->depends_on_literals = l->depends_on_literals;
    m->understood = true;
    return OK;
}

/* --- statement by statement --- */

static void place_statement(Look *l, const PgQuery__RawStmt *raw)
{
    Statement *s = look_statement(l);
    const size_t start = raw->stmt_location > 0 ? (size_t)raw->stmt_location : 0;
    const size_t left = start <= l->text.len ? l->text.len - start : 0;
    const size_t length =
        raw->stmt_len > 0 && (size_t)raw->stmt_len < left ? (size_t)raw->stmt_len : left;
    const Bytes whole = bytes_upto(bytes_from(l->text, l->text.len - left), length);
    const Bytes trimmed = text_trim(whole); /* behind a semicolon the blanks are counted in */

    s->start =
        (uint32_t)(trimmed.len > 0 ? (size_t)(trimmed.ptr - l->text.ptr) : l->text.len - left);
    s->length = (uint32_t)trimmed.len;
}

static Err look_at_all(Look *l, const PgQuery__ParseResult *tree)
{
    void *mem;

    TRY(arena_array(l->arena, tree->n_stmts, sizeof(Statement), &mem));
    l->statements = mem;
    l->statement_count = tree->n_stmts;
    for (size_t i = 0; i < tree->n_stmts; i++) {
        const PgQuery__RawStmt *raw = tree->stmts[i];
        const ProtobufCMessage *node = node_inside(raw->stmt);

        l->current = (uint32_t)i;
        l->effects = 0;
        l->stores = false;
        place_statement(l, raw);
        if (node == NULL)
            return look_refuse(l, raw->stmt_location, "a statement of an unknown kind", LIT(""));
        TRY(statement_push(l, node));
        TRY(look_run(l));
        look_statement(l)->effects = l->effects;
    }
    return OK;
}

static Err look(Look *l, Bytes text)
{
    PgQuery__ParseResult *tree;
    SqlBounds bounds;
    const char *string;

    if (sql_bounds(text, &bounds) != OK) {
        l->why = bounds.why;
        l->why_position = bounds.why_position;
        return ERR_REFUSED;
    }
    TRY(arena_string(l->arena, text, &string));
    TRY(parse(l, string, &tree));
    return look_at_all(l, tree);
}

Err sql_look(const SqlContext *ctx, Bytes text, Arena *arena, const Meaning **ret)
{
    Arena CLEANUP(arena_done) tree;
    void *mem;

    arena_init(&tree, TREE_BUDGET);
    TRY(arena_alloc(arena, sizeof(Meaning), &mem));
    Look l = { .ctx = ctx, .out = arena, .arena = &tree, .text = text };
    const Err err = look(&l, text);

    if (err != OK && l.why == NULL)
        l.why = "the statement is too complex";
    TRY(conclude(&l, err, mem));
    *ret = mem;
    return OK;
}
