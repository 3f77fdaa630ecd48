/* What a view's columns show: read from the text of its stored query (pg_rewrite.ev_action of
 * the _RETURN rule, a pg_node_tree; src/backend/nodes/outfuncs.c).
 *
 * Only the outer query's target list is read; everything else is skipped by brackets. A column
 * has an origin where its expression is a plain Var that PostgreSQL itself traced to a column
 * (resorigtbl, resorigcol): then the view shows that column unchanged. Strict: what does not
 * look like PostgreSQL's own output is ERR_MALFORMED, and the caller takes every column as
 * computed. */
#ifndef LANG_SQL_VIEW_TREE_H
#define LANG_SQL_VIEW_TREE_H

#include "model/schema.h"

enum {
    VIEW_TREE_COLUMNS_MAX = 1664,  /* MaxTupleAttributeNumber */
    VIEW_TREE_BYTES_MAX = 8 << 20, /* PostgreSQL stores far smaller ones */
};

typedef struct ViewColumn {
    int16_t attnum;   /* resno */
    ColumnRef origin; /* oid 0: computed */
} ViewColumn;

/* `columns` has room for VIEW_TREE_COLUMNS_MAX. */
Err view_tree_origins(Bytes tree, ViewColumn *columns, size_t *ret_count) MUST_CHECK;

#endif
