/* Reading the target's catalogue: the queries, and a Schema made of their rows.
 *
 * pg_catalog tables only, schema-qualified; never pg_get_viewdef, which waits for a caller's open
 * DDL. Rows are kept as DataRow bodies in text format until all are there. */
#ifndef WORKER_CATALOGUE_H
#define WORKER_CATALOGUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/schema.h"

typedef enum CatalogueQuery {
    CATALOGUE_RELATIONS,
    CATALOGUE_COLUMNS,
    CATALOGUE_PARENTS,
    CATALOGUE_VIEW_TREES,
    CATALOGUE_VIEW_READS,
    CATALOGUE_FUNCTIONS,
    CATALOGUE_OPERATORS,
    CATALOGUE_TYPES,
    CATALOGUE_HARMLESS_TYPES,
    CATALOGUE_CASTS,
    CATALOGUE_PATH,
    CATALOGUE_COUNT,
} CatalogueQuery;

enum {
    CATALOGUE_ROWS_MAX = 256 << 20, /* bytes of one query's rows */
    CATALOGUE_ARENA = 512 << 20,
};

/* Sent once, before the others. */
extern const char CATALOGUE_SETTINGS[];
/* One number that changes whenever any of the others might; compared every 2 s. */
extern const char CATALOGUE_FINGERPRINT[];
const char *catalogue_query(CatalogueQuery q);

typedef struct CatalogueRows {
    Buf rows[CATALOGUE_COUNT]; /* u32 length and DataRow body each */
} CatalogueRows;

/* *ret_path: the account's search_path as the server shows it. Everything lives in `arena`. */
Err catalogue_build(CatalogueRows *rows, uint64_t generation, Arena *arena, const Schema **ret,
                    Bytes *ret_path) MUST_CHECK;

#endif
