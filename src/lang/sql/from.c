/* FROM: relations, CTEs, sub-selects, functions, XMLTABLE, samples and joins, to items. */
#include "lang/sql/lineage.h"

#include "base/text.h"
#include "lang/sql/catalog_names.h"

typedef struct Join {
    const PgQuery__JoinExpr *node;
    size_t low;
    uint32_t left, right; /* items of the query */
    const Col **cols;     /* of the join, so far */
    size_t count, cap, merged;
} Join;

static Err from_step(Look *l, const Task *t);

Err from_push(Look *l, Query *q, const PgQuery__Node *node)
{
    return look_push(l, (Task){ .step = from_step, .node = node, .env = { .query = q } });
}

Err from_list_push(Look *l, Query *q, PgQuery__Node *const *list, size_t count)
{
    for (size_t i = count; i > 0; i--)
        TRY(from_push(l, q, list[i - 1]));
    return OK;
}

/* A lateral item sees what is left of it; others only what is around the whole query. */
static Env seen_from(Query *q, bool lateral)
{
    return (Env){ .query = q, .low = 0, .high = lateral ? q->item_count : 0 };
}

static Err item_of(Look *l, Query *q, Col *const *cols, size_t count, Item item)
{
    void *refs;

    TRY(arena_array(l->arena, count, sizeof(Col *), &refs));
    for (size_t i = 0; i < count; i++)
        ((const Col **)refs)[i] = cols[i];
    item.cols = refs;
    item.col_count = count;
    item.rel_visible = item.cols_visible = true;
    return scope_item(l, q, item);
}

/* --- relations and CTEs --- */

static Err from_cte(Look *l, Query *q, const PgQuery__RangeVar *var, Cte *cte)
{
    const Item item = { .alias = cte->name, .aliased = true, .open = cte->open };

    if (cte->state != CTE_DONE && cte->state != CTE_SELF)
        return look_refuse(l, var->location, "\"@\" is used before it is defined", cte->name);
    cte->recursive = cte->recursive || cte->state == CTE_SELF;
    TRY(item_of(l, q, cte->cols, cte->col_count, item));
    return scope_rename(l, &q->items[q->last_item], var->alias);
}

static Err from_relation(Look *l, Query *q, const PgQuery__RangeVar *var)
{
    const bool bare = text_of(var->schemaname).len == 0 && text_of(var->catalogname).len == 0;
    Cte *cte = bare ? scope_cte(q, text_of(var->relname)) : NULL;
    const SchemaRelation *r;

    if (cte != NULL)
        return from_cte(l, q, var, cte);
    TRY(scope_relation(l, var, &r));
    look_effect(l, EFFECT_READ);
    if (r != NULL)
        TRY(scope_note_read(l, r, var->location));
    return scope_item_relation(l, q, var, r);
}

/* --- sub-selects --- */

static Err end_sub_select(Look *l, const Task *t)
{
    const PgQuery__RangeSubselect *node = t->node;
    Query *q = t->env.query;
    Query *sub = t->state;

    TRY(query_settle(l, sub));
    TRY(item_of(l, q, sub->cols, sub->col_count, (Item){ .aliased = true, .open = sub->open }));
    return scope_rename(l, &q->items[q->last_item], node->alias);
}

static Err from_sub_select(Look *l, Query *q, const PgQuery__RangeSubselect *node)
{
    const Env around = seen_from(q, node->lateral);
    Query *sub;

    TRY(query_new(l, &around, &sub));
    sub->derive_into = q->derive_into;
    TRY(look_push(
        l, (Task){ .step = end_sub_select, .node = node, .env = { .query = q }, .state = sub }));
    return query_push(l, sub, node_inside(node->subquery));
}

/* --- functions --- */

static Err add_named(Look *l, Query *of, Bytes name, const Sources *from)
{
    Col *col;

    TRY(query_new_col(l, of, name, &col));
    return source_add_read(l, &col->sources, from);
}

static Err add_listed(Look *l, Query *of, Bytes names, const Sources *from)
{
    while (names.len > 0) {
        const size_t comma = text_find(names, LIT(","));

        TRY(add_named(l, of, bytes_upto(names, comma), from));
        names = bytes_from(names, comma < names.len ? comma + 1 : comma);
    }
    return OK;
}

static Err add_defined(Look *l, Query *of, PgQuery__Node *const *list, size_t count,
                       const Sources *from)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i]->node_case != PG_QUERY__NODE__NODE_COLUMN_DEF)
            return look_refuse(l, 0, "an unknown kind of column definition", LIT(""));
        TRY(effect_of_type(l, list[i]->column_def->type_name));
        TRY(add_named(l, of, text_of(list[i]->column_def->colname), from));
    }
    return OK;
}

/* The columns of one function: as defined here, as the catalogue has it, or open. */
static Err add_function(Look *l, Query *of, const PgQuery__RangeFunction *node, size_t at,
                        const Sources *from)
{
    const PgQuery__Node *pair = node->functions[at];
    const PgQuery__List *list = pair->node_case == PG_QUERY__NODE__NODE_LIST ? pair->list : NULL;
    Bytes name, columns;

    if (list == NULL || list->n_items == 0)
        return look_refuse(l, 0, "an unknown kind of function in FROM", LIT(""));
    if (list->n_items > 1 && list->items[1]->node_case == PG_QUERY__NODE__NODE_LIST &&
        list->items[1]->list->n_items > 0)
        return add_defined(l, of, list->items[1]->list->items, list->items[1]->list->n_items, from);
    if (node->n_coldeflist > 0)
        return add_defined(l, of, node->coldeflist, node->n_coldeflist, from);
    name = target_name(list->items[0]);
    const PgQuery__FuncCall *call = list->items[0]->node_case == PG_QUERY__NODE__NODE_FUNC_CALL
                                        ? list->items[0]->func_call
                                        : NULL;
    if (call == NULL || !effect_is_built_in(l, call->funcname, call->n_funcname, name) ||
        !catalog_function_shape(name, &columns)) {
        of->open = true;
        return OK;
    }
    if (columns.len > 0)
        return add_listed(l, of, columns, from);
    const bool called_after_alias = node->n_functions == 1 && node->alias != NULL;

    return add_named(l, of, called_after_alias ? text_of(node->alias->aliasname) : name, from);
}

static Err end_function(Look *l, const Task *t)
{
    const PgQuery__RangeFunction *node = t->node;
    const Sources *from = t->state;
    Query *q = t->env.query;
    Query shape = { 0 };

    for (size_t i = 0; i < node->n_functions; i++)
        TRY(add_function(l, &shape, node, i, from));
    if (node->ordinality)
        TRY(add_named(l, &shape, LIT("ordinality"), from));
    Item item = { .aliased = true, .open = shape.open, .open_from = *from };

    item.open_from.cap = 0;
    if (node->n_functions == 1 && node->functions[0]->list->n_items > 0)
        item.alias = target_name(node->functions[0]->list->items[0]);
    TRY(item_of(l, q, shape.cols, shape.open ? 0 : shape.col_count, item));
    return scope_rename(l, &q->items[q->last_item], node->alias);
}

static Err new_sources(Look *l, Query *q, bool lateral, Env *ret_env, Sources **ret)
{
    void *mem;

    TRY(arena_alloc(l->arena, sizeof(Sources), &mem));
    *ret = mem;
    *ret_env = seen_from(q, lateral);
    return sink_new(l, SINK_COL, *ret, q, &ret_env->sink);
}

static Err from_function(Look *l, Query *q, const PgQuery__RangeFunction *node)
{
    Sources *from;
    Env env;

    TRY(new_sources(l, q, true, &env, &from));
    TRY(look_push(
        l, (Task){ .step = end_function, .node = node, .env = { .query = q }, .state = from }));
    for (size_t i = node->n_functions; i > 0; i--) {
        const PgQuery__Node *pair = node->functions[i - 1];

        if (pair->node_case != PG_QUERY__NODE__NODE_LIST || pair->list->n_items == 0)
            return look_refuse(l, 0, "an unknown kind of function in FROM", LIT(""));
        TRY(expression_push(l, env, pair->list->items[0]));
    }
    return OK;
}

/* --- XMLTABLE --- */

static Err end_table_function(Look *l, const Task *t)
{
    const PgQuery__RangeTableFunc *node = t->node;
    Query *q = t->env.query;
    Query shape = { 0 };

    for (size_t i = 0; i < node->n_columns; i++) {
        const PgQuery__RangeTableFuncCol *c = node->columns[i]->range_table_func_col;

        TRY(add_named(l, &shape, text_of(c->colname), t->state));
    }
    TRY(item_of(l, q, shape.cols, shape.col_count,
                (Item){ .alias = LIT("xmltable"), .aliased = true }));
    return scope_rename(l, &q->items[q->last_item], node->alias);
}

static Err from_table_function(Look *l, Query *q, const PgQuery__RangeTableFunc *node)
{
    Sources *from;
    Env env;

    TRY(new_sources(l, q, true, &env, &from));
    TRY(look_push(
        l,
        (Task){ .step = end_table_function, .node = node, .env = { .query = q }, .state = from }));
    TRY(expression_push(l, env, node->docexpr));
    TRY(expression_push(l, env, node->rowexpr));
    TRY(expression_push_all(l, env, node->namespaces, node->n_namespaces));
    for (size_t i = 0; i < node->n_columns; i++) {
        if (node->columns[i]->node_case != PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC_COL)
            return look_refuse(l, node->location, "an unknown kind of column", LIT(""));
        const PgQuery__RangeTableFuncCol *c = node->columns[i]->range_table_func_col;

        TRY(effect_of_type(l, c->type_name));
        TRY(expression_push(l, env, c->colexpr));
        TRY(expression_push(l, env, c->coldefexpr));
    }
    return OK;
}

static Err from_sample(Look *l, Query *q, const PgQuery__RangeTableSample *node)
{
    const Bytes method = node->n_method == 1 ? node_string(node->method[0]) : LIT("");
    Env env;

    if (!text_eq(method, LIT("system")) && !text_eq(method, LIT("bernoulli")))
        look_effect(l, EFFECT_OPAQUE | EFFECT_WRITE);
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    TRY(from_push(l, q, node->relation));
    TRY(expression_push(l, env, node->repeatable));
    return expression_push_all(l, env, node->args, node->n_args);
}

/* --- joins --- */

static Err join_add(Look *l, Join *j, const Col *col)
{
    void *cols = j->cols;

    TRY(look_grow(l, &cols, &j->cap, j->count, sizeof *j->cols));
    j->cols = cols;
    j->cols[j->count++] = col;
    return OK;
}

/* Of a family, later types take earlier ones (select_common_type). 0: in none. */
static int rank_of(uint32_t type)
{
    static const uint32_t WIDENING[] = { 21, 23,   20,   1700, 700, 701, /* int2 … float8 */
                                         0,  1043, 25,                   /* varchar, text */
                                         0,  1082, 1114, 1184 };         /* date … timestamptz */

    for (size_t i = 0; i < COUNT_OF(WIDENING); i++)
        if (WIDENING[i] == type)
            return (int)i + 1;
    return 0;
}

static bool same_family(int a, int b)
{
    return a > 0 && b > 0 && (a < 7) == (b < 7) && (a > 10) == (b > 10);
}

/* Does a column of type `a` need no coercion to the common type of both? */
static bool stays(const Col *a, const Col *b)
{
    const int mine = rank_of(a->type), other = rank_of(b->type);

    if (a->type == b->type)
        return a->typmod == b->typmod || a->typmod == -1;
    return a->typmod == -1 && same_family(mine, other) && mine > other;
}

/* Which of two equal-named columns the merged one is to RowDescription (buildMergedJoinVar). */
static ColumnRef merged_shown(const Join *j, const Col *a, const Col *b)
{
    const bool left = a->type != 0 && stays(a, b), right = b->type != 0 && stays(b, a);

    switch ((int)j->node->jointype) {
    case PG_QUERY__JOIN_TYPE__JOIN_INNER:
        return left ? a->shown : right ? b->shown : (ColumnRef){ 0 };
    case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
        return left ? a->shown : (ColumnRef){ 0 };
    case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
        return right ? b->shown : (ColumnRef){ 0 };
    default:
        return (ColumnRef){ 0 };
    }
}

static Err side_column(Look *l, const Item *item, Bytes name, const Col **ret)
{
    void *mem;

    TRY(scope_item_column(l, item, name, ret));
    if (*ret != NULL)
        return OK;
    if (!item->open)
        return look_refuse(l, 0, "column \"@\" is not known on both sides of the join", name);
    TRY(arena_alloc(l->arena, sizeof(Col), &mem));
    ((Col *)mem)->name = name;
    *ret = mem;
    return source_add_read(l, &((Col *)mem)->sources, &item->open_from);
}

static Err merge_one(Look *l, Query *q, Join *j, Bytes name)
{
    const Col *a, *b;
    void *mem;
    Env env;

    TRY(side_column(l, &q->items[j->left], name, &a));
    TRY(side_column(l, &q->items[j->right], name, &b));
    TRY(arena_alloc(l->arena, sizeof(Col), &mem));
    Col *col = mem;
    const ColumnRef shown = merged_shown(j, a, b);

    *col = (Col){ .name = name, .shown = shown, .type = a->type, .typmod = a->typmod };
    for (int side = 0; side < 2; side++) {
        const Sources *from = side == 0 ? &a->sources : &b->sources;

        for (size_t i = 0; shown.oid != 0 && i < from->count; i++)
            TRY(source_add(l, &col->sources, from->list[i]));
        if (shown.oid == 0)
            TRY(source_add_read(l, &col->sources, from));
    }
    TRY(effect_of_operator_named(l, LIT("=")));
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    TRY(sink_sources(l, env.sink, &col->sources));
    j->merged++;
    return join_add(l, j, col);
}

static bool join_has_merged(const Join *j, Bytes name)
{
    for (size_t i = 0; i < j->merged; i++)
        if (text_eq(j->cols[i]->name, name))
            return true;
    return false;
}

static Err merge_natural(Look *l, Query *q, Join *j)
{
    const Item left = q->items[j->left], right = q->items[j->right];

    if (left.open || right.open)
        return look_refuse(l, 0, "NATURAL JOIN with columns that are not known", LIT(""));
    for (size_t i = 0; i < left.col_count; i++) {
        const Col *other;

        TRY(scope_item_column(l, &right, left.cols[i]->name, &other));
        if (other != NULL)
            TRY(merge_one(l, q, j, left.cols[i]->name));
    }
    return OK;
}

static Err join_columns(Look *l, Query *q, Join *j)
{
    const PgQuery__JoinExpr *node = j->node;

    for (size_t i = 0; i < node->n_using_clause; i++)
        TRY(merge_one(l, q, j, node_string(node->using_clause[i])));
    if (node->is_natural)
        TRY(merge_natural(l, q, j));
    for (int side = 0; side < 2; side++) {
        const Item *item = &q->items[side == 0 ? j->left : j->right];

        for (size_t i = 0; i < item->col_count; i++)
            if (!join_has_merged(j, item->cols[i]->name))
                TRY(join_add(l, j, item->cols[i]));
    }
    return OK;
}

static Err end_join(Look *l, const Task *t)
{
    Query *q = t->env.query;
    Join *j = t->state;
    const PgQuery__Alias *alias = j->node->alias, *using_alias = j->node->join_using_alias;
    Item item = { .aliased = true, .rel_visible = alias != NULL, .cols_visible = true };

    for (int side = 0; side < 2; side++) {
        const Item *from = &q->items[side == 0 ? j->left : j->right];

        item.open = item.open || from->open;
        TRY(source_add_read(l, &item.open_from, &from->open_from));
    }
    item.cols = j->cols;
    item.col_count = j->count;
    for (size_t i = j->low; i < q->item_count; i++) {
        q->items[i].cols_visible = false;
        q->items[i].rel_visible = q->items[i].rel_visible && alias == NULL;
    }
    if (using_alias != NULL)
        TRY(scope_item(l, q,
                       (Item){ .alias = text_of(using_alias->aliasname),
                               .aliased = true,
                               .cols = j->cols,
                               .col_count = j->merged,
                               .rel_visible = true }));
    TRY(scope_rename(l, &item, alias));
    return scope_item(l, q, item);
}

static Err join_condition(Look *l, const Task *t)
{
    Query *q = t->env.query;
    Join *j = t->state;
    Env env;

    j->right = q->last_item;
    TRY(join_columns(l, q, j));
    TRY(look_push(l, (Task){ .step = end_join, .env = t->env, .state = j }));
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    env.low = j->low;
    return condition_push(l, env, j->node->quals);
}

static Err join_right(Look *l, const Task *t)
{
    Join *j = t->state;

    j->left = t->env.query->last_item;
    return from_push(l, t->env.query, j->node->rarg);
}

static Err from_join(Look *l, Query *q, const PgQuery__JoinExpr *node)
{
    const Env env = { .query = q };
    void *mem;

    if (node->larg == NULL || node->rarg == NULL)
        return look_refuse(l, 0, "half a join", LIT(""));
    TRY(arena_alloc(l->arena, sizeof(Join), &mem));
    Join *j = mem;

    *j = (Join){ .node = node, .low = q->item_count };
    TRY(look_push(l, (Task){ .step = join_condition, .env = env, .state = j }));
    TRY(look_push(l, (Task){ .step = join_right, .env = env, .state = j }));
    return from_push(l, q, node->larg);
}

static Err from_step(Look *l, const Task *t)
{
    const PgQuery__Node *node = t->node;
    Query *q = t->env.query;

    switch ((int)(node != NULL ? node->node_case : PG_QUERY__NODE__NODE__NOT_SET)) {
    case PG_QUERY__NODE__NODE_RANGE_VAR:
        return from_relation(l, q, node->range_var);
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        return from_sub_select(l, q, node->range_subselect);
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        return from_function(l, q, node->range_function);
    case PG_QUERY__NODE__NODE_RANGE_TABLE_FUNC:
        return from_table_function(l, q, node->range_table_func);
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
        return from_sample(l, q, node->range_table_sample);
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        return from_join(l, q, node->join_expr);
    default:
        return look_refuse(l, 0, "an unknown kind of item in FROM", LIT(""));
    }
}
