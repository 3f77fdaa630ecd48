#include "lang/sql/sql_shape.h"

#include "base/text.h"
#include "lang/sql/sql_lexer.h"

#include <string.h>

enum { INT4_DIGITS = 9 }; /* as many always fit */

/* --- which literals are plain -------------------------------------------------------------- */

static bool is_plain_number(Bytes token)
{
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] < '0' || token.ptr[i] > '9')
            return false;
    return token.len <= INT4_DIGITS;
}

/* A quote inside that is not doubled ends one part of several. */
static bool is_plain_string(Bytes token)
{
    if (token.ptr[0] != '\'')
        return false;
    for (size_t i = 1; i + 1 < token.len; i++)
        if (token.ptr[i] == '\'' && token.ptr[++i] != '\'')
            return false;
    return true;
}

static bool is_plain(const SqlToken *t, Bytes token)
{
    return (t->kind == SQL_TOKEN_NUMBER && is_plain_number(token)) ||
           (t->kind == SQL_TOKEN_STRING && is_plain_string(token));
}

static Bytes token_of(Bytes text, size_t start, size_t end)
{
    return bytes_upto(bytes_from(text, start), end - start);
}

/* --- the key: what is the same, piece by piece, each with its length ----------------------------
 */

static Err put_piece(Buf *key, Bytes text, size_t start, size_t end, uint8_t behind)
{
    TRY(buf_u32(key, (uint32_t)(end - start)));
    TRY(buf_append(key, token_of(text, start, end)));
    return buf_byte(key, behind);
}

/* float(24) is another type than float(25): the grammar reads that number. */
static bool opens_float(const SqlToken *t, Bytes token, bool *after_float)
{
    const bool opens = *after_float && text_eq(token, LIT("("));

    if (t->kind != SQL_TOKEN_COMMENT)
        *after_float = t->kind == SQL_TOKEN_WORD && text_eq_nocase(token, LIT("float"));
    return opens;
}

static Err shape(Bytes text, Buf *key, LangShape *ret)
{
    SqlLexer lexer = sql_lexer_of(text);
    bool after_float = false;
    size_t piece = 0;
    SqlToken t;

    ret->count = 0;
    for (;;) {
        TRY(sql_lexer_next(&lexer, &t));
        if (t.kind == SQL_TOKEN_END)
            return put_piece(key, text, piece, text.len, 0);
        const Bytes token = token_of(text, t.start, t.end);

        if (opens_float(&t, token, &after_float))
            return ERR_MALFORMED;
        if (!is_plain(&t, token))
            continue;
        if (ret->count == LANG_LITERALS_MAX)
            return ERR_MALFORMED;
        TRY(put_piece(key, text, piece, t.start, (uint8_t)t.kind));
        ret->literals[ret->count++] = (LangLiteral){ (uint32_t)t.start, (uint32_t)t.end };
        piece = t.end;
    }
}

Err sql_shape(Bytes text, Buf *key, LangShape *ret)
{
    if (text.len > UINT32_MAX || memchr(text.ptr, 0, text.len) != NULL || !utf8_valid(text))
        return ERR_MALFORMED;
    TRY(shape(text, key, ret));
    return ret->count > 0 ? OK : ERR_MALFORMED;
}

/* --- values ----------------------------------------------------------------------------------- */

/* The literal as the walk reports it: without leading zeros, without quotes. */
static Err decode(Bytes literal, Arena *arena, Bytes *ret)
{
    uint8_t *to;
    void *mem;
    size_t len = 0;

    if (literal.ptr[0] != '\'') {
        while (literal.len > 1 && literal.ptr[0] == '0')
            literal = bytes_from(literal, 1);
        return arena_copy(arena, literal, ret);
    }
    TRY(arena_alloc(arena, literal.len, &mem));
    to = mem;
    for (size_t i = 1; i + 1 < literal.len; i++) {
        to[len++] = literal.ptr[i];
        i += literal.ptr[i] == '\'' ? 1 : 0;
    }
    *ret = (Bytes){ to, len };
    return OK;
}

/* Which literal stands at `position`? count: none. */
static size_t literal_at(const LangShape *shape, uint32_t position)
{
    size_t i = 0;

    while (i < shape->count && shape->literals[i].start != position)
        i++;
    return i;
}

/* -5 is one value, and its place is the sign's: what is reported is not what was cut out. */
static bool value_is_literal(const ValueUse *v, Bytes text, const LangShape *shape)
{
    const size_t i = literal_at(shape, v->position);
    Arena CLEANUP(arena_done) scratch = { 0 };
    Bytes decoded;

    if (i == shape->count)
        return false;
    arena_init(&scratch, 2 * text.len + 1024);
    return decode(token_of(text, shape->literals[i].start, shape->literals[i].end), &scratch,
                  &decoded) == OK &&
           text_eq(decoded, v->literal);
}

/* --- may it speak? ------------------------------------------------------------------------------
 */

static bool is_plain_query(const Statement *s)
{
    const StatementKind k = s->kind;
    const bool query = k == STATEMENT_SELECT || k == STATEMENT_INSERT || k == STATEMENT_UPDATE ||
                       k == STATEMENT_DELETE || k == STATEMENT_MERGE;

    return query && s->refers == REFER_NOTHING && s->name.len == 0 && s->inner.len == 0 &&
           !s->value_known && s->copy == NULL && s->runs.len == 0;
}

bool sql_shape_speaks(const Meaning *meaning, Bytes text, const LangShape *shape)
{
    if (!meaning->understood || meaning->unknown_count > 0 || meaning->depends_on_literals)
        return false;
    for (size_t i = 0; i < meaning->statement_count; i++)
        if (!is_plain_query(&meaning->statements[i]))
            return false;
    for (size_t i = 0; i < meaning->value_count; i++)
        if (meaning->values[i].parameter == 0 &&
            !value_is_literal(&meaning->values[i], text, shape))
            return false;
    return true;
}

/* --- the other text's meaning -------------------------------------------------------------------
 */

typedef struct Remake {
    const LangShape *others, *shape;
    Bytes text;
    Arena *arena;
} Remake;

static uint32_t moved(const Remake *r, uint32_t position)
{
    uint32_t ends = 0, others_end = 0; /* of the last literal that begins before it */

    for (size_t i = 0; i < r->shape->count && r->others->literals[i].start < position; i++) {
        ends = r->shape->literals[i].end;
        others_end = r->others->literals[i].end;
    }
    return position - others_end + ends;
}

static Err copy_of(const Remake *r, const void *from, size_t count, size_t size, void **ret)
{
    TRY(arena_array(r->arena, count, size, ret));
    if (count > 0)
        memcpy(*ret, from, count * size);
    return OK;
}

static Err remake_statements(const Remake *r, Meaning *m)
{
    void *mem;

    TRY(copy_of(r, m->statements, m->statement_count, sizeof *m->statements, &mem));
    Statement *list = mem;

    for (size_t i = 0; i < m->statement_count; i++) {
        const uint32_t end = moved(r, list[i].start + list[i].length);

        list[i].start = moved(r, list[i].start);
        list[i].length = end - list[i].start;
    }
    m->statements = list;
    return OK;
}

static Err remake_relations(const Remake *r, Meaning *m)
{
    void *mem;

    TRY(copy_of(r, m->relations, m->relation_count, sizeof *m->relations, &mem));
    RelationUse *list = mem;

    for (size_t i = 0; i < m->relation_count; i++)
        list[i].position = moved(r, list[i].position);
    m->relations = list;
    return OK;
}

static Err remake_uses(const Remake *r, Meaning *m)
{
    void *mem;

    TRY(copy_of(r, m->uses, m->use_count, sizeof *m->uses, &mem));
    ColumnUse *list = mem;

    for (size_t i = 0; i < m->use_count; i++)
        list[i].position = moved(r, list[i].position);
    m->uses = list;
    return OK;
}

static Err remake_values(const Remake *r, Meaning *m)
{
    void *mem;

    TRY(copy_of(r, m->values, m->value_count, sizeof *m->values, &mem));
    ValueUse *list = mem;

    for (size_t i = 0; i < m->value_count; i++) {
        const size_t at = literal_at(r->others, list[i].position);

        list[i].position = moved(r, list[i].position);
        if (list[i].parameter > 0)
            continue;
        if (at == r->others->count)
            return ERR_MALFORMED; /* it did not speak for its shape */
        const LangLiteral *l = &r->shape->literals[at];
        TRY(decode(token_of(r->text, l->start, l->end), r->arena, &list[i].literal));
    }
    m->values = list;
    return OK;
}

Err sql_shape_remake(const LangModel *other, Bytes text, const LangShape *shape, Arena *arena,
                     const Meaning **ret)
{
    const Remake r = { .others = other->shape, .shape = shape, .text = text, .arena = arena };
    void *mem;

    if (other->shape->count != shape->count)
        return ERR_MALFORMED;
    TRY(arena_alloc(arena, sizeof(Meaning), &mem));
    Meaning *m = mem;

    *m = *other->meaning;
    TRY(remake_statements(&r, m));
    TRY(remake_relations(&r, m));
    TRY(remake_uses(&r, m));
    TRY(remake_values(&r, m));
    *ret = m;
    return OK;
}
