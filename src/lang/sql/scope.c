/* Names to relations and columns, in the order in which PostgreSQL's parser looks. */
#include "lang/sql/lineage.h"

#include "base/text.h"

#include <string.h>

static const struct {
    const char *name;
    int16_t attnum;
} SYSTEM_COLUMNS[] = {
    { "ctid", -1 }, { "xmin", -2 }, { "cmin", -3 },
    { "xmax", -4 }, { "cmax", -5 }, { "tableoid", -6 },
};

static Err unknown_add(Look *l, Bytes schema, Bytes name, int32_t position)
{
    void *list = l->unknown;

    for (size_t i = 0; i < l->unknown_count; i++)
        if (text_eq(l->unknown[i].schema, schema) && text_eq(l->unknown[i].name, name))
            return OK;
    TRY(look_grow(l, &list, &l->unknown_cap, l->unknown_count, sizeof *l->unknown));
    l->unknown = list;
    if (l->unknown_count == 0)
        l->unknown_position = position > 0 ? (uint32_t)position : 0;
    l->unknown[l->unknown_count++] = (SchemaName){ schema, name };
    return OK;
}

static const SchemaRelation *find_in_path(const Look *l, Bytes name)
{
    const SqlContext *ctx = l->ctx;
    const SchemaRelation *r = NULL;
    bool catalog_named = false;

    for (size_t i = 0; i < ctx->search_path_count; i++)
        catalog_named = catalog_named || text_eq(ctx->search_path[i], LIT("pg_catalog"));
    if (!catalog_named)
        r = schema_find(ctx->schema, LIT("pg_catalog"), name);
    for (size_t i = 0; r == NULL && i < ctx->search_path_count; i++)
        r = schema_find(ctx->schema, ctx->search_path[i], name);
    return r;
}

/* NULL, and the name noted, when the catalogue does not have it. */
Err scope_relation(Look *l, const PgQuery__RangeVar *var, const SchemaRelation **ret)
{
    const Bytes schema = text_of(var->schemaname), name = text_of(var->relname);

    if (text_of(var->catalogname).len > 0)
        return look_refuse(l, var->location, "a relation of another database, \"@\"", name);
    *ret = schema.len > 0 ? schema_find(l->ctx->schema, schema, name) : find_in_path(l, name);
    return *ret != NULL ? OK : unknown_add(l, schema, name, var->location);
}

/* --- columns of relations --- */

/* Through views down to base columns: direct where a view shows one unchanged, else derived from
 * all that its definition reads. `to` doubles as the work list; it never holds a column twice. */
static Err trace(Look *l, Sources *to)
{
    const Schema *schema = l->ctx->schema;

    for (size_t i = 0; i < to->count; i++) {
        const Source at = to->list[i];
        const SchemaRelation *r = schema_by_oid(schema, at.column.oid);
        const SchemaColumn *c = r != NULL ? schema_column(r, at.column.attnum) : NULL;
        const bool view = r != NULL && (r->kind == RELATION_VIEW || r->kind == RELATION_MATVIEW);

        if (!view)
            continue;
        if (c != NULL && c->origin.oid != 0) {
            TRY(source_add(l, to, (Source){ c->origin, at.how, NO_POSITION }));
            continue;
        }
        for (size_t k = 0; k < r->read_count; k++)
            TRY(source_add(l, to, (Source){ r->reads[k], HOW_DERIVED, NO_POSITION }));
    }
    return OK;
}

Err scope_columns(Look *l, const SchemaRelation *r, const Col ***ret, size_t *ret_count)
{
    void *cols, *refs;

    TRY(arena_array(l->arena, r->column_count, sizeof(Col), &cols));
    TRY(arena_array(l->arena, r->column_count, sizeof(Col *), &refs));
    for (size_t i = 0; i < r->column_count; i++) {
        const SchemaColumn *c = &r->columns[i];
        Col *col = (Col *)cols + i;

        *col = (Col){
            .name = c->name,
            .shown = { r->oid, c->attnum },
            .type = c->type_oid,
            .typmod = c->typmod,
        };
        TRY(source_add(l, &col->sources, (Source){ col->shown, HOW_DIRECT, NO_POSITION }));
        TRY(trace(l, &col->sources));
        ((const Col **)refs)[i] = col;
    }
    *ret = refs;
    *ret_count = r->column_count;
    return OK;
}

Err scope_item(Look *l, Query *q, Item item)
{
    void *items = q->items;

    TRY(look_grow(l, &items, &q->item_cap, q->item_count, sizeof *q->items));
    q->items = items;
    q->last_item = (uint32_t)q->item_count;
    q->items[q->item_count++] = item;
    return OK;
}

/* The base relations under a view are read with it. */
Err scope_note_read(Look *l, const SchemaRelation *r, int32_t position)
{
    TRY(relation_add(l, r, EFFECT_READ, position));
    if (r->reading_runs_code)
        look_effect(l, EFFECT_OPAQUE | EFFECT_WRITE);
    Sources all = { 0 };

    for (size_t k = 0; k < r->read_count; k++)
        TRY(source_add(l, &all, (Source){ r->reads[k], HOW_DERIVED, NO_POSITION }));
    TRY(trace(l, &all));
    for (size_t k = 0; k < all.count; k++) {
        const SchemaRelation *below = schema_by_oid(l->ctx->schema, all.list[k].column.oid);

        if (below == NULL)
            continue;
        TRY(relation_add(l, below, EFFECT_READ, position));
        if (below->reading_runs_code)
            look_effect(l, EFFECT_OPAQUE | EFFECT_WRITE);
    }
    return OK;
}

Err scope_item_relation(Look *l, Query *q, const PgQuery__RangeVar *var, const SchemaRelation *r)
{
    Item item = {
        .alias = text_of(var->relname),
        .rel = r,
        .open = r == NULL,
        .rel_visible = true,
        .cols_visible = true,
    };

    if (r != NULL) {
        TRY(scope_columns(l, r, &item.cols, &item.col_count));
    }
    TRY(scope_rename(l, &item, var->alias));
    return scope_item(l, q, item);
}

Err scope_rename(Look *l, Item *item, const PgQuery__Alias *alias)
{
    void *cols, *refs;

    if (alias == NULL)
        return OK;
    item->alias = text_of(alias->aliasname);
    item->aliased = true;
    if (alias->n_colnames == 0)
        return OK;
    if (alias->n_colnames > item->col_count && !item->open)
        return look_refuse(l, 0, "\"@\" has more column aliases than columns", item->alias);
    const size_t count = alias->n_colnames < item->col_count ? item->col_count : alias->n_colnames;

    TRY(arena_array(l->arena, count, sizeof(Col), &cols));
    TRY(arena_array(l->arena, count, sizeof(Col *), &refs));
    for (size_t i = 0; i < count; i++) {
        Col *col = (Col *)cols + i;

        if (i < item->col_count)
            *col = *item->cols[i];
        else
            TRY(source_add_read(l, &col->sources, &item->open_from));
        if (i < alias->n_colnames)
            col->name = node_string(alias->colnames[i]);
        ((const Col **)refs)[i] = col;
    }
    item->cols = refs;
    item->col_count = count;
    return OK;
}

/* --- references --- */

Err col_at(Look *l, const Col *from, uint32_t position, const Col **ret)
{
    void *mem;

    TRY(arena_alloc(l->arena, sizeof(Col), &mem));
    Col *col = mem;

    *col = *from;
    col->sources = (Sources){ 0 };
    for (size_t i = 0; i < from->sources.count; i++) {
        Source s = from->sources.list[i];

        s.position = s.position == NO_POSITION ? position : s.position;
        TRY(source_add(l, &col->sources, s));
    }
    *ret = col;
    return OK;
}

static Err system_column(Look *l, const Item *item, Bytes name, const Col **ret)
{
    void *mem;

    *ret = NULL;
    if (item->rel == NULL)
        return OK;
    for (size_t i = 0; i < COUNT_OF(SYSTEM_COLUMNS); i++)
        if (text_eq(text_of(SYSTEM_COLUMNS[i].name), name)) {
            TRY(arena_alloc(l->arena, sizeof(Col), &mem));
            *(Col *)mem = (Col){
                .name = name,
                .shown = { item->rel->oid, SYSTEM_COLUMNS[i].attnum },
            };
            *ret = mem;
        }
    return OK;
}

/* *ret NULL: not there. Twice is an error to PostgreSQL too. */
Err scope_item_column(Look *l, const Item *item, Bytes name, const Col **ret)
{
    const Col *found = NULL;

    for (size_t i = 0; i < item->col_count; i++)
        if (text_eq(item->cols[i]->name, name)) {
            if (found != NULL)
                return look_refuse(l, 0, "column reference \"@\" is ambiguous", name);
            found = item->cols[i];
        }
    if (found == NULL)
        TRY(system_column(l, item, name, &found));
    *ret = found;
    return OK;
}

/* A column of an item whose columns we do not know: computed from all that went in. */
static Err open_column(Look *l, const Sources *from, Bytes name, Col **ret)
{
    void *mem;

    TRY(arena_alloc(l->arena, sizeof(Col), &mem));
    *ret = mem;
    (*ret)->name = name;
    return source_add_read(l, &(*ret)->sources, from);
}

Err scope_whole_row(Look *l, const Item *item, uint32_t position, const Col **ret)
{
    Col *col;

    TRY(open_column(l, &item->open_from, item->alias, &col));
    if (item->rel != NULL) {
        col->shown = (ColumnRef){ item->rel->oid, 0 };
        TRY(source_add(l, &col->sources, (Source){ col->shown, HOW_DIRECT, position }));
    }
    for (size_t i = 0; i < item->col_count; i++) {
        const Sources *from = &item->cols[i]->sources;

        for (size_t k = 0; item->rel != NULL && k < from->count; k++)
            if (from->list[k].column.oid != item->rel->oid)
                TRY(source_add(l, &col->sources, from->list[k]));
        if (item->rel == NULL)
            TRY(source_add_read(l, &col->sources, from));
    }
    return col_at(l, col, position, ret);
}

/* One level of "column": the first item that shows it; a second one makes it ambiguous. */
static Err level_column(Look *l, const Env *level, Bytes name, const Col **ret, Sources *ret_open)
{
    const Col *found = NULL, *here;

    for (size_t i = level->low; i < level->high; i++) {
        const Item *item = &level->query->items[i];

        if (!item->cols_visible)
            continue;
        TRY(scope_item_column(l, item, name, &here));
        if (here != NULL && found != NULL && here != found)
            return look_refuse(l, 0, "column reference \"@\" is ambiguous", name);
        found = here != NULL ? here : found;
        if (item->open)
            TRY(source_add_read(l, ret_open, &item->open_from));
    }
    *ret = found;
    return OK;
}

static bool has_open(const Env *level)
{
    for (size_t i = level->low; i < level->high; i++)
        if (level->query->items[i].open && level->query->items[i].cols_visible)
            return true;
    return false;
}

static Env outside(const Env *level)
{
    const Query *q = level->query;

    return (Env){ q->parent, q->parent_low, q->parent_high, level->sink };
}

static const Item *level_item(const Env *level, Bytes schema, Bytes name, bool *ret_twice)
{
    const Item *found = NULL;

    for (size_t i = level->low; i < level->high; i++) {
        const Item *item = &level->query->items[i];

        if (!item->rel_visible || !text_eq(item->alias, name))
            continue;
        if (schema.len > 0 &&
            (item->aliased || item->rel == NULL || !text_eq(item->rel->schema, schema)))
            continue;
        *ret_twice = found != NULL;
        found = item;
    }
    return found;
}

static Err find_item(Look *l, const Env *env, Bytes schema, Bytes name, const Item **ret)
{
    bool twice = false;

    *ret = NULL;
    for (Env level = *env; level.query != NULL && *ret == NULL; level = outside(&level))
        *ret = level_item(&level, schema, name, &twice);
    if (twice)
        return look_refuse(l, 0, "table reference \"@\" is ambiguous", name);
    return OK;
}

Err scope_local_column(Look *l, Query *q, Bytes name, const Col **ret)
{
    const Env level = { q, 0, q->item_count, NULL };
    Sources open = { 0 };

    return level_column(l, &level, name, ret, &open);
}

/* "name" alone: a column of the nearest level that has it, else a whole row. Where a level has
 * columns that we cannot know, the name may be one of those: then it counts as both. */
static Err bare_name(Look *l, const Env *env, Bytes name, const Col **ret)
{
    Sources open = { 0 };
    bool maybe_open = false;
    const Col *found = NULL;
    const Item *item;

    for (Env level = *env; level.query != NULL && found == NULL; level = outside(&level)) {
        TRY(level_column(l, &level, name, &found, &open));
        if (found != NULL)
            break;
        maybe_open = maybe_open || has_open(&level);
    }
    if (found == NULL) {
        TRY(find_item(l, env, LIT(""), name, &item));
        if (item != NULL)
            TRY(scope_whole_row(l, item, NO_POSITION, &found));
    }
    *ret = found;
    if (!maybe_open)
        return OK;
    Col *both;

    TRY(open_column(l, &open, name, &both));
    if (found != NULL)
        TRY(source_add_read(l, &both->sources, &found->sources));
    *ret = both;
    return OK;
}

static Err qualified(Look *l, const Env *env, const PgQuery__ColumnRef *ref, const Col **ret)
{
    const size_t n = ref->n_fields;
    const Bytes schema = n == 3 ? node_string(ref->fields[0]) : LIT("");
    const Bytes table = node_string(ref->fields[n - 2]), name = node_string(ref->fields[n - 1]);
    const Item *item;
    Col *col;

    TRY(find_item(l, env, schema, table, &item));
    if (item == NULL)
        return look_refuse(l, ref->location, "\"@\" is not a relation of this statement", table);
    TRY(scope_item_column(l, item, name, ret));
    if (*ret != NULL || !item->open)
        return OK;
    TRY(open_column(l, &item->open_from, name, &col));
    *ret = col;
    return OK;
}

Err scope_column(Look *l, const Env *env, const PgQuery__ColumnRef *ref, const Col **ret)
{
    const Col *found = NULL;

    if (ref->n_fields == 0 || ref->n_fields > 3)
        return look_refuse(l, ref->location, "a column of another database", LIT(""));
    const Bytes name = node_string(ref->fields[ref->n_fields - 1]);

    if (ref->n_fields == 1)
        TRY(bare_name(l, env, name, &found));
    else
        TRY(qualified(l, env, ref, &found));
    if (found == NULL)
        return look_refuse(l, ref->location, "column \"@\" is not known in this place", name);
    return col_at(l, found, ref->location > 0 ? (uint32_t)ref->location : 0, ret);
}

/* --- stars --- */

Err scope_star_item(Look *l, const Item *item, Query *into, uint32_t position)
{
    for (size_t i = 0; i < item->col_count; i++) {
        const Col *at;
        Col *col;

        TRY(col_at(l, item->cols[i], position, &at));
        TRY(query_new_col(l, into, at->name, &col));
        *col = *at;
        col->starred = true;
    }
    if (item->open) {
        Col *col;

        TRY(query_new_col(l, into, LIT("*"), &col));
        TRY(source_add_read(l, &col->sources, &item->open_from));
        into->open = true;
    }
    return OK;
}

Err scope_star(Look *l, const Env *env, const PgQuery__ColumnRef *ref, Query *into)
{
    const uint32_t position = ref->location > 0 ? (uint32_t)ref->location : 0;
    const size_t n = ref->n_fields;
    const Item *item;

    if (n > 3)
        return look_refuse(l, ref->location, "a column of another database", LIT(""));
    if (n == 1) {
        for (size_t i = env->low; i < env->high; i++)
            if (env->query->items[i].cols_visible)
                TRY(scope_star_item(l, &env->query->items[i], into, position));
        return OK;
    }
    const Bytes table = node_string(ref->fields[n - 2]);

    TRY(find_item(l, env, n == 3 ? node_string(ref->fields[0]) : LIT(""), table, &item));
    if (item == NULL)
        return look_refuse(l, ref->location, "\"@\" is not a relation of this statement", table);
    return scope_star_item(l, item, into, position);
}

/* "(name)" is a row only where no column has that name. */
Err scope_row_item(Look *l, const Env *env, const PgQuery__Node *arg, const Item **ret)
{
    const PgQuery__ColumnRef *ref =
        arg->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? arg->column_ref : NULL;
    Sources open = { 0 };
    const Col *col = NULL;

    *ret = NULL;
    if (ref == NULL || ref->n_fields == 0 || ref->n_fields > 2)
        return OK;
    const Bytes name = node_string(ref->fields[ref->n_fields - 1]);

    if (name.len == 0)
        return OK;
    if (ref->n_fields == 2) {
        const Item *item;

        TRY(find_item(l, env, LIT(""), node_string(ref->fields[0]), &item));
        if (item != NULL)
            return OK; /* column of a relation */
        return find_item(l, env, node_string(ref->fields[0]), name, ret);
    }
    for (Env level = *env; level.query != NULL; level = outside(&level)) {
        TRY(level_column(l, &level, name, &col, &open));
        if (col != NULL || has_open(&level))
            return OK;
    }
    return find_item(l, env, LIT(""), name, ret);
}

Cte *scope_cte(const Query *q, Bytes name)
{
    for (; q != NULL; q = q->parent)
        for (size_t i = q->cte_seen; i > 0; i--)
            if (text_eq(q->ctes[i - 1].name, name))
                return &q->ctes[i - 1];
    return NULL;
}
