/* What follows WITH in COPY: the form of its rows, as ProcessCopyOptions() of copy.c reads it.
 * What it would not take, or is not known here, is refused. */
#include "lang/sql/lineage.h"

#include "base/text.h"

#include <string.h>

typedef struct Options {
    CopyForm form;
    Bytes delimiter, quote, escape, null; /* ptr NULL: not given */
    bool for_from, for_csv;               /* something was said that only those take */
    bool for_to;
} Options;

typedef Err (*Option)(Look *l, Options *o, const PgQuery__Node *arg);

static Err refuse(Look *l, const char *words)
{
    return look_refuse(l, (int32_t)look_statement(l)->start, words, LIT(""));
}

/* As defGetBoolean() reads it. */
static Err yes_or_no(Look *l, const PgQuery__Node *arg, bool *ret)
{
    const Bytes s = node_string(arg);

    *ret = true;
    if (arg == NULL)
        return OK;
    if (arg->node_case == PG_QUERY__NODE__NODE_BOOLEAN)
        *ret = arg->boolean->boolval;
    else if (arg->node_case == PG_QUERY__NODE__NODE_INTEGER)
        *ret = arg->integer->ival != 0;
    else if (text_eq_nocase(s, LIT("false")) || text_eq_nocase(s, LIT("off")))
        *ret = false;
    else if (!text_eq_nocase(s, LIT("true")) && !text_eq_nocase(s, LIT("on")))
        return refuse(l, "an option of COPY is neither on nor off");
    return OK;
}

static Err text_option(Look *l, const PgQuery__Node *arg, Bytes *ret)
{
    if (ret->ptr != NULL)
        return refuse(l, "an option of COPY is given twice");
    if (arg == NULL || arg->node_case != PG_QUERY__NODE__NODE_STRING)
        return refuse(l, "an option of COPY needs a string");
    TRY(arena_copy(l->out, node_string(arg), ret));
    if (ret->ptr == NULL)
        *ret = LIT("");
    return OK;
}

static Err on_format(Look *l, Options *o, const PgQuery__Node *arg)
{
    const Bytes s = node_string(arg);

    if (text_eq(s, LIT("text")))
        o->form.format = COPY_TEXT;
    else if (text_eq(s, LIT("csv")))
        o->form.format = COPY_CSV;
    else if (text_eq(s, LIT("binary")))
        o->form.format = COPY_BINARY;
    else
        return refuse(l, "this format of COPY is not known");
    return OK;
}

static Err on_delimiter(Look *l, Options *o, const PgQuery__Node *arg)
{
    return text_option(l, arg, &o->delimiter);
}

static Err on_null(Look *l, Options *o, const PgQuery__Node *arg)
{
    return text_option(l, arg, &o->null);
}

static Err on_quote(Look *l, Options *o, const PgQuery__Node *arg)
{
    o->for_csv = true;
    return text_option(l, arg, &o->quote);
}

static Err on_escape(Look *l, Options *o, const PgQuery__Node *arg)
{
    o->for_csv = true;
    return text_option(l, arg, &o->escape);
}

static Err on_header(Look *l, Options *o, const PgQuery__Node *arg)
{
    if (text_eq_nocase(node_string(arg), LIT("match"))) {
        o->for_from = true;
        o->form.header = true;
        return OK;
    }
    return yes_or_no(l, arg, &o->form.header);
}

static Err on_encoding(Look *l, Options *o, const PgQuery__Node *arg)
{
    const Bytes s = node_string(arg);

    (void)o;
    if (text_eq_nocase(s, LIT("utf8")) || text_eq_nocase(s, LIT("utf-8")))
        return OK;
    return refuse(l, "COPY through the gateway is in UTF8 only");
}

static Err on_force_quote(Look *l, Options *o, const PgQuery__Node *arg)
{
    void *mem;

    o->for_to = o->for_csv = true;
    if (arg != NULL && arg->node_case == PG_QUERY__NODE__NODE_A_STAR) {
        o->form.quote_all = true;
        return OK;
    }
    if (arg == NULL || arg->node_case != PG_QUERY__NODE__NODE_LIST || o->form.quoted != NULL)
        return refuse(l, "FORCE_QUOTE needs one list of columns, or *");
    TRY(arena_array(l->out, arg->list->n_items, sizeof(Bytes), &mem));
    for (size_t i = 0; i < arg->list->n_items; i++)
        TRY(arena_copy(l->out, node_string(arg->list->items[i]), (Bytes *)mem + i));
    o->form.quoted = mem;
    o->form.quoted_count = arg->list->n_items;
    return OK;
}

/* The target reads these: they change nothing about where a field begins and ends. */
static Err on_read_by_target(Look *l, Options *o, const PgQuery__Node *arg)
{
    (void)l;
    (void)arg;
    o->for_from = true;
    return OK;
}

static const struct {
    const char *name;
    Option read;
} OPTIONS[] = {
    { "format", on_format },
    { "delimiter", on_delimiter },
    { "null", on_null },
    { "header", on_header },
    { "quote", on_quote },
    { "escape", on_escape },
    { "force_quote", on_force_quote },
    { "force_not_null", on_read_by_target },
    { "force_null", on_read_by_target },
    { "freeze", on_read_by_target },
    { "encoding", on_encoding },
};

static Err read_option(Look *l, Options *o, const PgQuery__Node *node, unsigned *seen)
{
    const Bytes name = node->node_case == PG_QUERY__NODE__NODE_DEF_ELEM
                           ? text_of(node->def_elem->defname)
                           : LIT("");

    for (size_t i = 0; i < COUNT_OF(OPTIONS); i++) {
        if (!text_eq(name, text_of(OPTIONS[i].name)))
            continue;
        if ((*seen & 1u << i) != 0)
            return refuse(l, "an option of COPY is given twice");
        *seen |= 1u << i;
        return OPTIONS[i].read(l, o, node->def_elem->arg);
    }
    return look_refuse(l, (int32_t)look_statement(l)->start, "COPY option \"@\" is not known",
                       name);
}

static bool has_byte(Bytes text, uint8_t c)
{
    return text.len > 0 && memchr(text.ptr, c, text.len) != NULL;
}

static bool breaks_line(Bytes text)
{
    return has_byte(text, '\r') || has_byte(text, '\n');
}

static Err check_binary(Look *l, const Options *o)
{
    if (o->delimiter.ptr != NULL || o->null.ptr != NULL || o->form.header || o->for_csv)
        return refuse(l, "binary COPY takes no delimiter, null, header or quotes");
    return OK;
}

static Err one_byte(Look *l, Bytes given, uint8_t otherwise, uint8_t *ret)
{
    if (given.ptr != NULL && given.len != 1)
        return refuse(l, "delimiter, quote and escape of COPY have to be one byte");
    *ret = given.ptr != NULL ? given.ptr[0] : otherwise;
    return OK;
}

static Err check_text(Look *l, Options *o)
{
    static const Bytes TAKEN = LIT_INIT("\\.abcdefghijklmnopqrstuvwxyz0123456789");
    CopyForm *f = &o->form;
    const bool csv = f->format == COPY_CSV;

    TRY(one_byte(l, o->delimiter, csv ? ',' : '\t', &f->delimiter));
    TRY(one_byte(l, o->quote, '"', &f->quote));
    TRY(one_byte(l, o->escape, f->quote, &f->escape));
    f->null = o->null.ptr != NULL ? o->null : csv ? LIT("") : LIT("\\N");
    if (f->delimiter == '\r' || f->delimiter == '\n' || breaks_line(f->null))
        return refuse(l, "delimiter and null of COPY cannot hold a line break");
    if (!csv && has_byte(TAKEN, f->delimiter))
        return refuse(l, "this delimiter of COPY means something else");
    if (has_byte(f->null, f->delimiter) || (csv && has_byte(f->null, f->quote)))
        return refuse(l, "null of COPY cannot hold the delimiter or the quote");
    if (csv && f->delimiter == f->quote)
        return refuse(l, "delimiter and quote of COPY have to differ");
    return !csv && o->for_csv ? refuse(l, "quotes and escape are for COPY in CSV only") : OK;
}

Err copy_options(Look *l, const PgQuery__CopyStmt *copy, CopyForm **ret)
{
    Options o = { 0 };
    unsigned seen = 0;
    void *mem;

    for (size_t i = 0; i < copy->n_options; i++)
        TRY(read_option(l, &o, copy->options[i], &seen));
    TRY(o.form.format == COPY_BINARY ? check_binary(l, &o) : check_text(l, &o));
    if (copy->is_from ? o.for_to : o.for_from)
        return refuse(l, "an option of COPY is for the other direction only");
    TRY(arena_alloc(l->out, sizeof o.form, &mem));
    *(CopyForm *)mem = o.form;
    *ret = mem;
    return OK;
}
