/* What an SQL text means: effects, relations, uses of columns, lineage of every output column.
 *
 * Pure: text and catalogue in, Meaning out. Nothing is guessed: a text that is not understood
 * gives a Meaning that says so and why. See README.md of this folder. */
#ifndef LANG_SQL_SQL_LOOK_H
#define LANG_SQL_SQL_LOOK_H

#include "base/arena.h"
#include "model/meaning.h"
#include "model/schema.h"

typedef struct SqlContext {
    const Schema *schema;
    /* Explicit schemas in order, "$user" resolved, pg_temp named (last). pg_catalog comes
     * first unless it is named. */
    const Bytes *search_path;
    size_t search_path_count;
} SqlContext;

/* *ret lives in `arena`. Where ColumnUse.output has no meaning it is UINT32_MAX.
 * ERR_LIMIT: the arena's budget is used up. Bounds are checked here too (sql_bounds.h); a
 * caller on a small stack asks sql_bounds() first. */
Err sql_look(const SqlContext *ctx, Bytes text, Arena *arena, const Meaning **ret) MUST_CHECK;

/* Relations of pg_catalog that carry data, statements of others or secrets: their columns are
 * to be treated as protected. Extensions' pg_stat_statements in any schema too. */
bool sql_relation_is_sensitive(Bytes schema, Bytes name);

#endif
