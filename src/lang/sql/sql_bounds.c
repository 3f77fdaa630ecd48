#include "lang/sql/sql_bounds.h"

#include "base/text.h"
#include "lang/sql/sql_lexer.h"
#include "model/limits.h"

#include <string.h>

enum {
    SET_OPERATION_TOKENS = 4, /* what one more arm may put on the stack */
    RUN_BYTES_PER_WEIGHT = 16,
    STAR_WEIGHT = 16, /* it may stand for many columns */
};

typedef struct Level {
    uint32_t tokens;   /* since the last comma */
    uint32_t kept;     /* set operations since it was opened */
    uint32_t elements; /* commas + 1 */
    uint32_t copies;   /* of each token from here to the next comma */
    uint32_t base;     /* copies at its opening */
    bool target_list;  /* it follows SET or a comma: maybe "(a, b) = …" */
} Level;

/* Levels never outnumber open tokens, because each bracket is one. */
typedef struct Measure {
    Level levels[LIMIT_OPEN_TOKENS + 2];
    size_t depth, open;
    SqlBounds *out;
    bool after_set;       /* the last token was SET or a comma */
    uint32_t closed_list; /* elements of the target list that the last token closed */
} Measure;

static Err refuse(SqlBounds *b, Err err, size_t at, const char *why)
{
    b->why = why;
    b->why_position = (uint32_t)(at < UINT32_MAX ? at : UINT32_MAX);
    return err;
}

static Level *top(Measure *m)
{
    return &m->levels[m->depth];
}

static void forget(Measure *m, Level *level, bool all)
{
    m->open -= level->tokens;
    level->tokens = 0;
    level->copies = level->base;
    if (all) {
        m->open -= level->kept;
        level->kept = 0;
    }
}

static void open_level(Measure *m, bool target_list)
{
    const uint32_t copies = top(m)->copies;

    m->depth++;
    *top(m) =
        (Level){ .elements = 1, .copies = copies, .base = copies, .target_list = target_list };
}

static void close_level(Measure *m)
{
    if (m->depth == 0)
        return; /* the parser will refuse it */
    m->closed_list = top(m)->target_list ? top(m)->elements : 0;
    forget(m, top(m), true);
    m->depth--;
}

static bool is_set_operation(Bytes word)
{
    return text_eq_nocase(word, LIT("union")) || text_eq_nocase(word, LIT("intersect")) ||
           text_eq_nocase(word, LIT("except"));
}

/* "(a, b) =" : what follows is copied once for each name. */
static void multiply(Measure *m, Bytes token)
{
    if (m->closed_list > 1 && text_eq(token, LIT("="))) {
        const uint64_t copies = (uint64_t)top(m)->copies * m->closed_list;

        top(m)->copies = (uint32_t)(copies < SQL_WEIGHT_MAX + 1 ? copies : SQL_WEIGHT_MAX + 1);
    }
    m->closed_list = 0;
}

static void separate(Measure *m, bool semicolon)
{
    if (semicolon && m->depth == 0)
        top(m)->elements = 0;
    top(m)->elements++;
    forget(m, top(m), semicolon);
}

static void count_token(Measure *m, const SqlToken *token, Bytes text)
{
    const bool was_after_set = m->after_set;
    const bool is_sign = token->kind == SQL_TOKEN_SIGN;
    const uint8_t first = text.ptr[0];

    multiply(m, text);
    top(m)->tokens++;
    m->open++;
    m->out->tokens++;
    m->out->weight += top(m)->copies;
    m->after_set = false;
    if (token->kind == SQL_TOKEN_WORD) {
        m->after_set = text_eq_nocase(text, LIT("set"));
        if (is_set_operation(text)) {
            top(m)->kept += SET_OPERATION_TOKENS;
            m->open += SET_OPERATION_TOKENS;
        }
    } else if (is_sign && text.len == 1 && first == '*') {
        m->out->weight += STAR_WEIGHT;
    } else if (is_sign && text.len == 1 && (first == ',' || first == ';')) {
        separate(m, first == ';');
        m->after_set = first == ',';
    } else if (is_sign && text.len == 1 && (first == '(' || first == '[')) {
        open_level(m, was_after_set && first == '(');
    } else if (is_sign && text.len == 1 && (first == ')' || first == ']')) {
        close_level(m);
    }
}

/* scan.l matches a run of operator characters whole and then gives most of it back, at each
 * token of the run again: "/" "*" "*" "/" 10,000 times took a second. So each such token weighs
 * as much as what is left of its run. */
static size_t run_weight(Bytes rest)
{
    static const char OPERATOR_CHARS[] = "~!@#^&|`?+-*/%<>=";
    size_t len = 0;

    while (len < rest.len &&
           memchr(OPERATOR_CHARS, rest.ptr[len], sizeof OPERATOR_CHARS - 1) != NULL)
        len++;
    return len / RUN_BYTES_PER_WEIGHT;
}

static Err measure(Measure *m, Bytes text)
{
    SqlLexer lexer = sql_lexer_of(text);
    SqlToken token;

    for (;;) {
        if (sql_lexer_next(&lexer, &token) != OK)
            return refuse(m->out, ERR_MALFORMED, lexer.at, lexer.why);
        if (m->out->weight > SQL_WEIGHT_MAX)
            return refuse(m->out, ERR_LIMIT, token.start, "the statement is too complex");
        if (token.kind == SQL_TOKEN_END)
            return OK;
        if (token.kind == SQL_TOKEN_COMMENT || token.kind == SQL_TOKEN_SIGN)
            m->out->weight += run_weight(bytes_from(text, token.start));
        if (token.kind == SQL_TOKEN_COMMENT)
            continue;
        count_token(m, &token, bytes_upto(bytes_from(text, token.start), token.end - token.start));
        if (m->open > m->out->open_tokens)
            m->out->open_tokens = m->open;
        if (m->open > LIMIT_OPEN_TOKENS)
            return refuse(m->out, ERR_LIMIT, token.start, "the statement is nested too deeply");
    }
}

Err sql_bounds(Bytes text, SqlBounds *ret)
{
    Measure m = { .out = ret };

    *ret = (SqlBounds){ 0 };
    if (text.len > LIMIT_STATEMENT)
        return refuse(ret, ERR_LIMIT, 0, "the statement is longer than 1 MiB");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == 0)
            return refuse(ret, ERR_MALFORMED, i, "the statement has a NUL byte");
    if (!utf8_valid(text))
        return refuse(ret, ERR_MALFORMED, 0, "the statement is not valid UTF-8");
    m.levels[0] = (Level){ .elements = 1, .copies = 1, .base = 1 };
    TRY(measure(&m, text));
    ret->on_loop = text.len <= LIMIT_LOOP_STATEMENT && ret->open_tokens <= LIMIT_LOOP_TOKENS &&
                   ret->weight <= SQL_LOOP_WEIGHT_MAX;
    return OK;
}
