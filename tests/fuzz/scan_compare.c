#include "scan_compare.h"

#include "lang/sql/sql_lexer.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <string.h>

static const char *compare(SqlLexer *lexer, const PgQuery__ScanResult *scan)
{
    SqlToken token;

    for (size_t i = 0; i < scan->n_tokens; i++) {
        if (sql_lexer_next(lexer, &token) != OK && strcmp(lexer->why, SQL_COMMENT_IN_STRING) == 0)
            return NULL;
        if (lexer->why != NULL)
            return "we refuse a token that PostgreSQL reads";
        const PgQuery__ScanToken *theirs = scan->tokens[i];
        /* It loses the ends of these; the next token's start shows them. */
        const bool end_known =
            theirs->token != PG_QUERY__TOKEN__USCONST && theirs->token != PG_QUERY__TOKEN__UIDENT;

        if (token.start != (size_t)theirs->start || (end_known && token.end != (size_t)theirs->end))
            return "a token begins or ends elsewhere";
        const bool comment = scan->tokens[i]->token == PG_QUERY__TOKEN__SQL_COMMENT ||
                             scan->tokens[i]->token == PG_QUERY__TOKEN__C_COMMENT;

        if (comment != (token.kind == SQL_TOKEN_COMMENT))
            return "a comment that is none";
    }
    if (sql_lexer_next(lexer, &token) != OK || token.kind != SQL_TOKEN_END)
        return "we see more tokens";
    return NULL;
}

const char *scan_difference(Bytes text)
{
    PgQueryScanResult result = pg_query_scan((const char *)text.ptr);
    SqlLexer lexer = sql_lexer_of(text);
    const char *difference = NULL;

    if (result.error == NULL) {
        PgQuery__ScanResult *scan =
            pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);

        difference = scan == NULL ? "no scan result" : compare(&lexer, scan);
        if (scan != NULL)
            pg_query__scan_result__free_unpacked(scan, NULL);
    }
    pg_query_free_scan_result(result);
    return difference;
}

static PgQuery__ScanResult *scan(Bytes text)
{
    PgQueryScanResult result = pg_query_scan((const char *)text.ptr);
    PgQuery__ScanResult *tokens = NULL;

    if (result.error == NULL)
        tokens =
            pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
    pg_query_free_scan_result(result);
    return tokens;
}

bool scan_same_tokens(Bytes a, Bytes b)
{
    PgQuery__ScanResult *of_a = scan(a), *of_b = scan(b);
    bool same = (of_a == NULL) == (of_b == NULL);

    if (of_a != NULL && of_b != NULL) {
        same = of_a->n_tokens == of_b->n_tokens;
        for (size_t i = 0; same && i < of_a->n_tokens; i++)
            same = of_a->tokens[i]->token == of_b->tokens[i]->token;
    }
    if (of_a != NULL)
        pg_query__scan_result__free_unpacked(of_a, NULL);
    if (of_b != NULL)
        pg_query__scan_result__free_unpacked(of_b, NULL);
    return same;
}
