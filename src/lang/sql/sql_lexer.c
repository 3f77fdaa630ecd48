#include "lang/sql/sql_lexer.h"

#include "base/text.h"

enum { END_OF_TEXT = -1 };

SqlLexer sql_lexer_of(Bytes text)
{
    return (SqlLexer){ .text = text };
}

static int peek(const SqlLexer *lx, size_t ahead)
{
    return ahead < lx->text.len - lx->at ? lx->text.ptr[lx->at + ahead] : END_OF_TEXT;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool starts_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool continues_word(int c)
{
    return starts_word(c) || is_digit(c) || c == '$';
}

static bool is_horizontal_space(int c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_newline(int c)
{
    return c == '\n' || c == '\r';
}

static bool is_space(int c)
{
    return is_horizontal_space(c) || is_newline(c);
}

static bool is_operator_char(int c)
{
    static const char CHARS[] = "~!@#^&|`?+-*/%<>=";

    for (size_t i = 0; i < sizeof CHARS - 1; i++)
        if (c == CHARS[i])
            return true;
    return false;
}

static Err fail(SqlLexer *lx, size_t at, const char *why)
{
    lx->at = at;
    lx->why = why;
    return ERR_MALFORMED;
}

static void skip_line_comment(SqlLexer *lx)
{
    while (peek(lx, 0) != END_OF_TEXT && !is_newline(peek(lx, 0)))
        lx->at++;
}

static Err block_comment(SqlLexer *lx)
{
    const size_t start = lx->at;
    size_t depth = 0;

    do {
        if (peek(lx, 0) == END_OF_TEXT)
            return fail(lx, start, "unterminated /* comment");
        if (peek(lx, 0) == '/' && peek(lx, 1) == '*') {
            depth++;
            lx->at += 2;
        } else if (peek(lx, 0) == '*' && peek(lx, 1) == '/') {
            depth--;
            lx->at += 2;
        } else {
            lx->at++;
        }
    } while (depth > 0);
    return OK;
}

/* After a closing quote: does white space with a newline, then a quote, follow? scan.l's
 * {quotecontinue}. The server also lets -- comments stand between; libpg_query sees two strings
 * there, so that is refused. */
static Err goes_on(SqlLexer *lx, bool *ret)
{
    const size_t start = lx->at;
    bool newline = false, comment = false;

    for (;;) {
        if (is_newline(peek(lx, 0))) {
            newline = true;
            lx->at++;
        } else if (is_horizontal_space(peek(lx, 0))) {
            lx->at++;
        } else if (peek(lx, 0) == '-' && peek(lx, 1) == '-') {
            comment = true;
            skip_line_comment(lx);
        } else {
            break;
        }
    }
    *ret = newline && peek(lx, 0) == '\'';
    if (*ret && comment)
        return fail(lx, start, SQL_COMMENT_IN_STRING);
    lx->at = *ret ? lx->at + 1 : start;
    return OK;
}

/* `at` is behind the opening quote. */
static Err string_body(SqlLexer *lx, size_t start, bool backslashes, bool doubling)
{
    for (;;) {
        const int c = peek(lx, 0);

        if (c == END_OF_TEXT)
            return fail(lx, start, "unterminated quoted string");
        if (c == '\\' && backslashes) {
            if (peek(lx, 1) == END_OF_TEXT)
                return fail(lx, start, "unterminated quoted string");
            lx->at += 2;
        } else if (c == '\'' && doubling && peek(lx, 1) == '\'') {
            lx->at += 2;
        } else if (c == '\'') {
            bool more;

            lx->at++;
            TRY(goes_on(lx, &more));
            if (!more)
                return OK;
        } else {
            lx->at++;
        }
    }
}

static Err quoted_name(SqlLexer *lx, size_t start)
{
    const size_t first = lx->at;

    for (;;) {
        const int c = peek(lx, 0);

        if (c == END_OF_TEXT)
            return fail(lx, start, "unterminated quoted identifier");
        if (c == '"' && peek(lx, 1) == '"') {
            lx->at += 2;
        } else if (c == '"') {
            if (lx->at == first)
                return fail(lx, start, "zero-length delimited identifier");
            lx->at++;
            return OK;
        } else {
            lx->at++;
        }
    }
}

/* `at` is on a '$' that no digit follows. Without a whole delimiter it is a lone '$'. */
static Err dollar_string(SqlLexer *lx, SqlToken *token)
{
    const size_t start = lx->at;
    size_t tag_len = 1;

    if (starts_word(peek(lx, 1)))
        for (tag_len = 2; starts_word(peek(lx, tag_len)) || is_digit(peek(lx, tag_len));)
            tag_len++;
    if (peek(lx, tag_len) != '$') {
        lx->at++;
        token->kind = SQL_TOKEN_SIGN;
        return OK;
    }
    const Bytes tag = bytes_upto(bytes_from(lx->text, start), tag_len + 1);

    lx->at += tag.len;
    const size_t found = text_find(bytes_from(lx->text, lx->at), tag);

    if (found == lx->text.len - lx->at)
        return fail(lx, start, "unterminated dollar-quoted string");
    lx->at += found + tag.len;
    token->kind = SQL_TOKEN_STRING;
    return OK;
}

static void skip_digits(SqlLexer *lx)
{
    while (is_digit(peek(lx, 0)))
        lx->at++;
}

/* Trailing junk (1abc, 1_000, 0x1F, 1e+) is an error in 15 and means other things in 16. */
static Err number(SqlLexer *lx)
{
    const size_t start = lx->at;

    skip_digits(lx);
    if (peek(lx, 0) == '.' && !(peek(lx, 1) == '.' && lx->at > start)) {
        lx->at++;
        skip_digits(lx);
    }
    if (peek(lx, 0) == 'e' || peek(lx, 0) == 'E') {
        const size_t sign = peek(lx, 1) == '+' || peek(lx, 1) == '-' ? 1 : 0;

        if (!is_digit(peek(lx, 1 + sign)))
            return fail(lx, start, "trailing junk after numeric literal");
        lx->at += 1 + sign;
        skip_digits(lx);
    }
    if (starts_word(peek(lx, 0)))
        return fail(lx, start, "trailing junk after numeric literal");
    return OK;
}

/* Operator characters up to a comment; trailing + and - belong to the next token unless the
 * operator has a character that no SQL operator has. */
static void operator(SqlLexer *lx)
{
    static const char SPECIAL[] = "~!@#^&|`?%";
    size_t len = 0;
    bool special = false;

    while (is_operator_char(peek(lx, len))) {
        if ((peek(lx, len) == '/' && peek(lx, len + 1) == '*') ||
            (peek(lx, len) == '-' && peek(lx, len + 1) == '-'))
            break;
        for (size_t i = 0; i < sizeof SPECIAL - 1; i++)
            special = special || peek(lx, len) == SPECIAL[i];
        len++;
    }
    if (!special)
        while (len > 1 && (peek(lx, len - 1) == '+' || peek(lx, len - 1) == '-'))
            len--;
    lx->at += len;
}

static Err sign(SqlLexer *lx)
{
    const int c = peek(lx, 0), next = peek(lx, 1);

    if (is_operator_char(c)) {
        operator(lx);
        return OK;
    }
    lx->at += (c == ':' && (next == ':' || next == '=')) || (c == '.' && next == '.') ? 2 : 1;
    return OK;
}

/* E'…' N'…' B'…' X'…' U&'…' U&"…", or a plain word. N leaves its quote to the next token. */
static Err word(SqlLexer *lx, SqlToken *token)
{
    const size_t start = lx->at;
    const int c = peek(lx, 0) | 0x20, next = peek(lx, 1);

    if (next == '\'' && (c == 'e' || c == 'b' || c == 'x')) {
        lx->at += 2;
        token->kind = SQL_TOKEN_STRING;
        return string_body(lx, start, c == 'e', c == 'e');
    }
    if (c == 'u' && next == '&' && (peek(lx, 2) == '\'' || peek(lx, 2) == '"')) {
        const bool name = peek(lx, 2) == '"';

        lx->at += 3;
        token->kind = name ? SQL_TOKEN_NAME : SQL_TOKEN_STRING;
        return name ? quoted_name(lx, start) : string_body(lx, start, false, true);
    }
    token->kind = SQL_TOKEN_WORD;
    while (continues_word(peek(lx, 0)))
        lx->at++;
    return OK;
}

static Err quoted(SqlLexer *lx, SqlToken *token)
{
    const size_t start = lx->at;
    const bool name = peek(lx, 0) == '"';

    lx->at++;
    token->kind = name ? SQL_TOKEN_NAME : SQL_TOKEN_STRING;
    return name ? quoted_name(lx, start) : string_body(lx, start, false, true);
}

static Err parameter(SqlLexer *lx, SqlToken *token)
{
    token->kind = SQL_TOKEN_PARAM;
    lx->at++;
    skip_digits(lx);
    if (starts_word(peek(lx, 0)))
        return fail(lx, token->start, "trailing junk after parameter");
    return OK;
}

static Err token_at(SqlLexer *lx, SqlToken *token)
{
    const int c = peek(lx, 0);

    if (c == '\'' || c == '"')
        return quoted(lx, token);
    if (starts_word(c))
        return word(lx, token);
    if (c == '$')
        return is_digit(peek(lx, 1)) ? parameter(lx, token) : dollar_string(lx, token);
    if (is_digit(c) || (c == '.' && is_digit(peek(lx, 1)))) {
        token->kind = SQL_TOKEN_NUMBER;
        return number(lx);
    }
    if (c == '-' && peek(lx, 1) == '-') {
        token->kind = SQL_TOKEN_COMMENT;
        skip_line_comment(lx);
        return OK;
    }
    if (c == '/' && peek(lx, 1) == '*') {
        token->kind = SQL_TOKEN_COMMENT;
        return block_comment(lx);
    }
    token->kind = SQL_TOKEN_SIGN;
    return sign(lx);
}

Err sql_lexer_next(SqlLexer *lx, SqlToken *ret)
{
    SqlToken token = { .kind = SQL_TOKEN_END };

    while (is_space(peek(lx, 0)))
        lx->at++;
    token.start = lx->at;
    if (peek(lx, 0) != END_OF_TEXT)
        TRY(token_at(lx, &token));
    token.end = lx->at;
    *ret = token;
    return OK;
}

Err sql_lexer_after(Bytes text, Bytes word, Bytes *ret)
{
    SqlLexer lexer = sql_lexer_of(text);
    size_t depth = 0, start = 0, end = 0;
    bool found = false;
    SqlToken t;

    for (;;) {
        TRY(sql_lexer_next(&lexer, &t));
        if (t.kind == SQL_TOKEN_END)
            break;
        if (t.kind == SQL_TOKEN_COMMENT)
            continue;
        const Bytes token = bytes_upto(bytes_from(text, t.start), t.end - t.start);

        if (found && start == 0)
            start = t.start;
        end = t.end;
        if (t.kind == SQL_TOKEN_SIGN && token.ptr[0] == '(')
            depth++;
        else if (t.kind == SQL_TOKEN_SIGN && token.ptr[0] == ')')
            depth -= depth > 0 ? 1 : 0;
        else if (t.kind == SQL_TOKEN_WORD && depth == 0 && !found)
            found = text_eq_nocase(token, word);
    }
    if (start == 0)
        return ERR_MALFORMED;
    *ret = bytes_upto(bytes_from(text, start), end - start);
    return OK;
}

Err sql_lexer_brackets(Bytes text, Bytes *ret)
{
    SqlLexer lexer = sql_lexer_of(text);
    size_t depth = 0, start = 0;
    SqlToken t;

    for (;;) {
        TRY(sql_lexer_next(&lexer, &t));
        if (t.kind == SQL_TOKEN_END)
            return ERR_MALFORMED;
        const uint8_t c = t.kind == SQL_TOKEN_SIGN ? text.ptr[t.start] : 0;

        if (c == '(' && depth++ == 0)
            start = t.end;
        if (c == ')' && depth > 0 && --depth == 0)
            break;
    }
    *ret = bytes_upto(bytes_from(text, start), t.start - start);
    return OK;
}
