#include "policy/judge_parts.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { WORDS_MAX = 1024, COLUMNS_SHOWN = 3 };

/* Names come from clients and catalogues: a line break in one must not forge a second line. */
static Bytes keep(const Judgement *in, char *text, size_t len)
{
    Bytes kept;

    for (size_t i = 0; i < len; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    if (arena_copy(in->arena, utf8_upto((Bytes){ (const uint8_t *)text, len }, WORDS_MAX - 4),
                   &kept) != OK)
        return (Bytes){ 0 };
    return kept;
}

Bytes words(const Judgement *in, const char *format, ...)
{
    char text[WORDS_MAX];
    va_list args;

    va_start(args, format);
    const int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        return (Bytes){ 0 };
    return keep(in, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

Bytes words_column(const Judgement *in, ColumnRef column)
{
    const SchemaRelation *r = schema_by_oid(in->schema, column.oid);

    if (r == NULL)
        return LIT("a column the gateway does not know");
    if (column.attnum == 0)
        return words(in, "the row of %.*s", SHOW(r->name));
    const SchemaColumn *c = schema_column(r, column.attnum);

    if (c == NULL)
        return words(in, "a column of %.*s", SHOW(r->name));
    return words(in, "%.*s.%.*s", SHOW(r->name), SHOW(c->name));
}

/* What the statement is about: what it changes, else what it reads. */
static const RelationUse *subject_of(const Meaning *m, size_t statement)
{
    const RelationUse *best = NULL;

    for (size_t i = 0; i < m->relation_count; i++) {
        const RelationUse *r = &m->relations[i];

        if (r->statement != statement)
            continue;
        if ((r->effects & ~(unsigned)EFFECT_READ) != 0)
            return r;
        if (best == NULL || (schema_is_system(best->schema) && !schema_is_system(r->schema)))
            best = r;
    }
    return best;
}

/* The name of the column that use `i` of the statement writes; empty: it writes none by name. */
static Bytes written_name(const Judgement *in, size_t statement, size_t i)
{
    const ColumnUse *use = &in->meaning->uses[i];
    const SchemaRelation *r = schema_by_oid(in->schema, use->column.oid);
    const SchemaColumn *c = r != NULL ? schema_column(r, use->column.attnum) : NULL;

    if (use->statement != statement || use->kind != USE_WRITTEN || c == NULL)
        return (Bytes){ 0 };
    return c->name;
}

static Err put_columns(const Judgement *in, size_t statement, Buf *out)
{
    size_t total = 0, shown = 0;

    for (size_t i = 0; i < in->meaning->use_count; i++)
        total += written_name(in, statement, i).len > 0;
    for (size_t i = 0; i < in->meaning->use_count && shown < COLUMNS_SHOWN; i++) {
        const Bytes name = written_name(in, statement, i);
        const char *first = total > 1 ? ", columns " : ", column ";

        if (name.len > 0)
            TRY(text_format(out, "%s%.*s", shown++ == 0 ? first : ", ", SHOW(name)));
    }
    if (total > shown)
        TRY(text_format(out, " and %zu more", total - shown));
    return OK;
}

static Err put_verb(const Statement *s, Buf *out)
{
    if (s->kind != STATEMENT_OTHER)
        return text_format(out, "%s", statement_kind_name(s->kind));
    for (unsigned bit = 1; bit <= EFFECT_OPAQUE; bit <<= 1)
        if ((s->effects & bit) != 0 && bit != EFFECT_READ)
            return text_format(out, "statement with effect %s", effect_name(bit));
    return text_format(out, "statement");
}

static Err put_statement(const Judgement *in, size_t statement, bool say_where, Buf *out)
{
    const Statement *s = &in->meaning->statements[statement];
    const RelationUse *subject = subject_of(in->meaning, statement);

    TRY(put_verb(s, out));
    if (say_where)
        TRY(text_format(out, s->has_where ? " with WHERE" : " without WHERE"));
    if (subject != NULL)
        TRY(text_format(out, " on %.*s", SHOW(subject->name)));
    return put_columns(in, statement, out);
}

Bytes words_statement(const Judgement *in, size_t statement, bool say_where)
{
    Buf text;
    Bytes kept = { 0 };

    if (statement >= in->meaning->statement_count)
        return LIT("statement");
    buf_init(&text, WORDS_MAX);
    if (put_statement(in, statement, say_where, &text) == OK)
        kept = words(in, "%.*s", SHOW(buf_view(&text)));
    buf_done(&text);
    return kept;
}

/* 1-based character of byte `at`: what a client's caret counts in. */
static uint32_t character_at(Bytes text, uint32_t at)
{
    uint32_t position = 1;

    if (at > text.len)
        return 0;
    for (size_t i = 0; i < at; i++)
        position += (text.ptr[i] & 0xC0) != 0x80;
    return position;
}

Verdict refusal(const Judgement *in, MessageCode code, Bytes rule, uint32_t at, Bytes fact)
{
    const bool has_place = at != NOWHERE && in->command != NULL;

    return (Verdict){
        .ruling = RULING_DENY,
        .rule = rule,
        .fault = { .code = code,
                   .rule = rule,
                   .fact = fact,
                   .position = has_place ? character_at(in->command->text, at) : 0 },
    };
}

Bytes masking_rule(const Judgement *in)
{
    return in->role->masking.len > 0 ? in->role->masking : in->role->name;
}
