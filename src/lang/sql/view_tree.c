#include "lang/sql/view_tree.h"

#include "base/reader.h"
#include "base/text.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

static bool is_bracket(uint8_t c)
{
    return c == '(' || c == ')' || c == '{' || c == '}';
}

/* As pg_strtok(): brackets stand alone, a backslash keeps the next byte. Empty at the end. */
static Bytes next_token(Reader *r)
{
    size_t len = 0;

    while (r->rest.len > 0 && is_space(r->rest.ptr[0]))
        r->rest = bytes_from(r->rest, 1);
    const Bytes from = r->rest;

    if (from.len > 0 && is_bracket(from.ptr[0])) {
        len = 1;
    } else {
        while (len < from.len && !is_space(from.ptr[len]) && !is_bracket(from.ptr[len]))
            len += from.ptr[len] == '\\' && len + 1 < from.len ? 2 : 1;
    }
    r->rest = bytes_from(from, len);
    return bytes_upto(from, len);
}

static MUST_CHECK Err expect(Reader *r, Bytes word)
{
    return text_eq(next_token(r), word) ? OK : ERR_MALFORMED;
}

static bool opens(Bytes token)
{
    return text_eq(token, LIT("(")) || text_eq(token, LIT("{"));
}

static bool closes(Bytes token)
{
    return text_eq(token, LIT(")")) || text_eq(token, LIT("}"));
}

/* The value that begins with `first`: an atom ("4 [ 1 0 0 0 ]" occurs only inside brackets), or
 * everything to its closing bracket. */
static MUST_CHECK Err skip_value(Reader *r, Bytes first)
{
    size_t depth = opens(first) ? 1 : 0;

    if (first.len == 0 || closes(first))
        return ERR_MALFORMED;
    while (depth > 0) {
        const Bytes token = next_token(r);

        if (token.len == 0)
            return ERR_MALFORMED;
        depth += opens(token) ? 1 : 0;
        depth -= closes(token) ? 1 : 0;
    }
    return OK;
}

static MUST_CHECK Err field(Reader *r, Bytes name, Bytes *ret_value)
{
    TRY(expect(r, name));
    *ret_value = next_token(r);
    return ret_value->len > 0 && !is_bracket(ret_value->ptr[0]) ? OK : ERR_MALFORMED;
}

static MUST_CHECK Err number_field(Reader *r, Bytes name, uint64_t max, uint64_t *ret)
{
    Bytes value;

    TRY(field(r, name, &value));
    return text_u64(value, max, ret) == OK ? OK : ERR_MALFORMED;
}

/* :expr; true when it is a Var and nothing around it. */
static MUST_CHECK Err expression(Reader *r, bool *ret_plain)
{
    TRY(expect(r, LIT(":expr")));
    const Bytes first = next_token(r);
    Reader ahead = *r;

    *ret_plain = text_eq(first, LIT("{")) && text_eq(next_token(&ahead), LIT("VAR"));
    return skip_value(r, first);
}

/* Behind "{": TARGETENTRY with its seven fields, in the order in which they are written. */
static MUST_CHECK Err target_entry(Reader *r, ViewColumn *columns, size_t *count)
{
    uint64_t resno, table, column, group;
    Bytes name, junk;
    bool plain;

    TRY(expect(r, LIT("TARGETENTRY")));
    TRY(expression(r, &plain));
    TRY(number_field(r, LIT(":resno"), INT16_MAX, &resno));
    TRY(field(r, LIT(":resname"), &name));
    TRY(number_field(r, LIT(":ressortgroupref"), UINT32_MAX, &group));
    TRY(number_field(r, LIT(":resorigtbl"), UINT32_MAX, &table));
    TRY(field(r, LIT(":resorigcol"), &name));
    TRY(field(r, LIT(":resjunk"), &junk));
    TRY(expect(r, LIT("}")));
    if (!text_eq(junk, LIT("false")))
        return text_eq(junk, LIT("true")) ? OK : ERR_MALFORMED;
    /* System columns are negative: they are clear, but they are not ours to pass on. */
    if (text_u64(name, INT16_MAX, &column) != OK)
        plain = false;
    if (*count == VIEW_TREE_COLUMNS_MAX || resno == 0)
        return ERR_MALFORMED;
    columns[*count] = (ViewColumn){ .attnum = (int16_t)resno };
    if (plain && table != 0)
        columns[*count].origin = (ColumnRef){ (uint32_t)table, (int16_t)column };
    (*count)++;
    return OK;
}

static MUST_CHECK Err target_list(Reader *r, ViewColumn *columns, size_t *count)
{
    Bytes token = next_token(r);

    if (!text_eq(token, LIT("(")))
        return ERR_MALFORMED;
    for (token = next_token(r); text_eq(token, LIT("{")); token = next_token(r))
        TRY(target_entry(r, columns, count));
    return text_eq(token, LIT(")")) ? OK : ERR_MALFORMED;
}

/* The fields of the outer QUERY, up to its "}". */
static MUST_CHECK Err query(Reader *r, ViewColumn *columns, size_t *count)
{
    bool seen_targets = false, seen_set = false;
    uint64_t command;

    TRY(number_field(r, LIT(":commandType"), 100, &command));
    if (command != 1)
        return ERR_MALFORMED;
    for (Bytes name = next_token(r); !text_eq(name, LIT("}")); name = next_token(r)) {
        if (name.len < 2 || name.ptr[0] != ':')
            return ERR_MALFORMED;
        if (text_eq(name, LIT(":targetList")) && !seen_targets) {
            seen_targets = true;
            TRY(target_list(r, columns, count));
            continue;
        }
        const Bytes value = next_token(r);

        TRY(skip_value(r, value));
        if (text_eq(name, LIT(":setOperations"))) {
            seen_set = true;
            for (size_t i = 0; i < *count && !text_eq(value, LIT("<>")); i++)
                columns[i].origin = (ColumnRef){ 0 };
        }
    }
    return seen_targets && seen_set ? OK : ERR_MALFORMED;
}

Err view_tree_origins(Bytes tree, ViewColumn *columns, size_t *ret_count)
{
    Reader r = reader_of(tree);
    size_t count = 0;

    if (tree.len > VIEW_TREE_BYTES_MAX)
        return ERR_LIMIT;
    TRY(expect(&r, LIT("(")));
    TRY(expect(&r, LIT("{")));
    TRY(expect(&r, LIT("QUERY")));
    TRY(query(&r, columns, &count));
    TRY(expect(&r, LIT(")")));
    if (next_token(&r).len > 0)
        return ERR_MALFORMED;
    *ret_count = count;
    return OK;
}
