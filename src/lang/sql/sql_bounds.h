/* May this text be given to libpg_query at all, and where?
 *
 * libpg_query recurses: it overflows 8 MiB of stack at 5,000 terms of "1+1+…" and a failed
 * allocation inside it ends the process. So the text is measured first, by our own lexer:
 *
 *   open_tokens  tokens that can be on the parser's stack at once: by bracket level, forgotten
 *                at a comma or semicolon of that level; a set operation is remembered until the
 *                level ends, because "select 1,2 union select 1,2 union …" nests too
 *   weight       tokens, counted as often as the parser copies them: "set (a,b,c) = (…)" puts
 *                three copies of its source into the tree, and copies nest; runs of operator
 *                characters and comments weigh more, because the lexer reads them again and again
 */
#ifndef LANG_SQL_SQL_BOUNDS_H
#define LANG_SQL_SQL_BOUNDS_H

#include "base/base.h"

enum {
    SQL_WEIGHT_MAX = 1 << 20,      /* the tokens of any text of LIMIT_STATEMENT fit */
    SQL_LOOP_WEIGHT_MAX = 2 << 10, /* about 5 ms */
};

typedef struct SqlBounds {
    size_t tokens, open_tokens, weight;
    bool on_loop;          /* small enough to be parsed between two turns */
    const char *why;       /* after an error: a clause for people */
    uint32_t why_position; /* bytes */
} SqlBounds;

/* ERR_MALFORMED: not UTF-8, NUL, unterminated quote; ERR_LIMIT: too long, deep or heavy.
 * Unlike other results, *ret is set on every return. */
Err sql_bounds(Bytes text, SqlBounds *ret) MUST_CHECK;

#endif
