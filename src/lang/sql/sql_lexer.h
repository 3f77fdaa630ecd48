/* PostgreSQL's lexer, boundaries only: where each token starts and ends, never what it means.
 *
 * Follows src/backend/parser/scan.l of PostgreSQL 15 with standard_conforming_strings on.
 * What it must never do is see a boundary where the server sees none; the differential fuzz
 * target holds it to pg_query_scan. Views borrow from the text. */
#ifndef LANG_SQL_SQL_LEXER_H
#define LANG_SQL_SQL_LEXER_H

#include "base/base.h"

typedef enum SqlTokenKind {
    SQL_TOKEN_END = 0,
    SQL_TOKEN_WORD,   /* identifier or keyword, unquoted */
    SQL_TOKEN_NAME,   /* "quoted", U&"too" */
    SQL_TOKEN_STRING, /* '…' E'…' B'…' X'…' U&'…' $tag$…$tag$, with its continuations */
    SQL_TOKEN_NUMBER,
    SQL_TOKEN_PARAM,   /* $1 */
    SQL_TOKEN_SIGN,    /* , ( ) [ ] . ; : and operators */
    SQL_TOKEN_COMMENT, /* of either form, nested ones whole */
} SqlTokenKind;

typedef struct SqlToken {
    SqlTokenKind kind;
    size_t start, end; /* bytes */
} SqlToken;

typedef struct SqlLexer {
    Bytes text;
    size_t at;
    const char *why; /* after ERR_MALFORMED: a clause for people; `at` is where */
} SqlLexer;

/* The one refusal that PostgreSQL does not share. */
#define SQL_COMMENT_IN_STRING "a comment between the parts of a string"

SqlLexer sql_lexer_of(Bytes text);
/* SQL_TOKEN_END at the end, again and again. */
Err sql_lexer_next(SqlLexer *lexer, SqlToken *ret) MUST_CHECK;
/* The text from the token behind the first unquoted `word` outside brackets to the end of the
 * last token. ERR_MALFORMED: there is none. */
Err sql_lexer_after(Bytes text, Bytes word, Bytes *ret) MUST_CHECK;
/* What the first brackets of the text hold, without them. ERR_MALFORMED: there are none. */
Err sql_lexer_brackets(Bytes text, Bytes *ret) MUST_CHECK;

#endif
