/* SELECT, VALUES and set operations: WITH, FROM, outputs, then everything that decides. */
#include "lang/sql/lineage.h"

#include "base/text.h"

Err query_new(Look *l, const Env *around, Query **ret)
{
    void *mem;

    TRY(arena_alloc(l->arena, sizeof(Query), &mem));
    *ret = mem;
    if (around != NULL) {
        (*ret)->parent = around->query;
        (*ret)->parent_low = around->low;
        (*ret)->parent_high = around->high;
    }
    return OK;
}

Err query_new_col(Look *l, Query *q, Bytes name, Col **ret)
{
    void *mem, *cols = q->cols;

    TRY(look_grow(l, &cols, &q->col_cap, q->col_count, sizeof *q->cols));
    q->cols = cols;
    TRY(arena_alloc(l->arena, sizeof(Col), &mem));
    *ret = mem;
    (*ret)->name = name;
    q->cols[q->col_count++] = *ret;
    return OK;
}

Err query_env(Look *l, Query *q, SinkKind kind, Env *ret)
{
    *ret = (Env){ .query = q, .low = 0, .high = q->item_count };
    return sink_new(l, kind, NULL, q, &ret->sink);
}

Err query_settle(Look *l, Query *q)
{
    Env env;

    TRY(query_env(l, q, SINK_PREDICATE, &env));
    for (size_t i = 0; i < q->col_count; i++) {
        Sources computed = { 0 };

        for (size_t k = 0; !q->cols[i]->starred && k < q->cols[i]->sources.count; k++)
            if (q->cols[i]->shown.oid == 0 && q->cols[i]->sources.list[k].how == HOW_DERIVED)
                TRY(source_add(l, &computed, q->cols[i]->sources.list[k]));
        TRY(sink_sources(l, env.sink, &computed));
    }
    return OK;
}

/* --- outputs --- */

/* A constant as an output decides nothing. */
static bool is_bare_const(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_A_CONST;
}

static Err row_star(Look *l, const Env *env, const PgQuery__Node *val, bool *ret_done)
{
    const PgQuery__AIndirection *ind =
        val->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION ? val->a_indirection : NULL;
    Query *q = env->query;
    const Item *item;
    Sink *sink;
    Col *col;

    *ret_done = ind != NULL && ind->arg != NULL && ind->n_indirection > 0 &&
                ind->indirection[ind->n_indirection - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR;
    if (!*ret_done)
        return OK;
    item = NULL;
    if (ind->n_indirection == 1)
        TRY(scope_row_item(l, env, ind->arg, &item));
    if (item != NULL)
        return scope_star_item(l, item, q, node_position(ind->arg->column_ref));
    q->open = true; /* the fields of some value */
    TRY(query_new_col(l, q, LIT("*"), &col));
    TRY(sink_new(l, SINK_COL, &col->sources, q, &sink));
    return expression_push(l, (Env){ q, env->low, env->high, sink }, val);
}

static Err target(Look *l, const Env *env, const PgQuery__ResTarget *t)
{
    const Bytes given = text_of(t->name);
    Query *q = env->query;
    const Col *plain;
    bool done;
    Col *col;

    if (t->val == NULL)
        return look_refuse(l, t->location, "an output without a value", LIT(""));
    if (t->val->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && !node_plain_column(t->val))
        return scope_star(l, env, t->val->column_ref, q);
    TRY(row_star(l, env, t->val, &done));
    if (done)
        return OK;
    TRY(expression_plain(l, env, t->val, &plain));
    TRY(query_new_col(l, q, given.len > 0 ? given : target_name(t->val), &col));
    if (plain != NULL) {
        const Bytes name = col->name;

        *col = *plain;
        col->name = name;
        if (t->val->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
            TRY(effect_of_type(l, t->val->type_cast->type_name));
        return OK;
    }
    if (is_bare_const(t->val))
        return OK;
    Sink *sink;

    TRY(sink_new(l, SINK_COL, &col->sources, q, &sink));
    return expression_push(l, (Env){ q, env->low, env->high, sink }, t->val);
}

Err query_targets_push(Look *l, const Env *env, PgQuery__Node *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i]->node_case != PG_QUERY__NODE__NODE_RES_TARGET)
            return look_refuse(l, 0, "an unknown kind of output", LIT(""));
        TRY(target(l, env, list[i]->res_target));
    }
    return OK;
}

/* --- what decides --- */

static Err by_number(Look *l, const Task *t, const PgQuery__AConst *c)
{
    const Query *q = t->env.query;
    const int32_t n = c->val_case == PG_QUERY__A__CONST__VAL_IVAL ? c->ival->ival : 0;

    l->depends_on_literals = true;
    if (n < 1 || (size_t)n > q->col_count || q->open)
        return look_refuse(l, c->location, "there is no such output", LIT(""));
    return sink_sources(l, t->env.sink, &q->cols[n - 1]->sources);
}

/* A bare name in ORDER BY, GROUP BY, DISTINCT ON: an output of that name, or a column. */
static Err by_name(Look *l, const Task *t, const PgQuery__ColumnRef *ref, bool *ret_done)
{
    Query *q = t->env.query;
    const Bytes name = ref->n_fields == 1 ? node_string(ref->fields[0]) : LIT("");
    const Col *local;

    *ret_done = false;
    if (name.len == 0)
        return OK;
    for (size_t i = 0; i < q->col_count; i++)
        if (text_eq(q->cols[i]->name, name)) {
            *ret_done = true;
            TRY(sink_sources(l, t->env.sink, &q->cols[i]->sources));
        }
    if (!*ret_done)
        return OK;
    TRY(scope_local_column(l, q, name, &local));
    if (local == NULL)
        return OK;
    TRY(col_at(l, local, node_position(ref), &local));
    return sink_sources(l, t->env.sink, &local->sources);
}

static Err by_step(Look *l, const Task *t);

static Err by_push(Look *l, const Env *env, PgQuery__Node *const *list, size_t count)
{
    for (size_t i = count; i > 0; i--)
        TRY(look_push(l, (Task){ .step = by_step, .node = list[i - 1], .env = *env }));
    return OK;
}

static Err by_step(Look *l, const Task *t)
{
    const PgQuery__Node *node = t->node;
    bool done = false;

    if (node->node_case == PG_QUERY__NODE__NODE_SORT_BY) {
        const PgQuery__SortBy *sort = node->sort_by;

        if (sort->n_use_op > 0)
            TRY(effect_of_operator(l, sort->use_op, sort->n_use_op));
        return by_push(l, &t->env, &sort->node, 1);
    }
    if (node->node_case == PG_QUERY__NODE__NODE_GROUPING_SET)
        return by_push(l, &t->env, node->grouping_set->content, node->grouping_set->n_content);
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST)
        return by_number(l, t, node->a_const);
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
        TRY(by_name(l, t, node->column_ref, &done));
    return done ? OK : expression_push(l, t->env, node);
}

static Err distinct(Look *l, const Env *env, const PgQuery__SelectStmt *s)
{
    const Query *q = env->query;

    if (s->n_distinct_clause == 0)
        return OK;
    if (node_inside(s->distinct_clause[0]) != NULL)
        return by_push(l, env, s->distinct_clause, s->n_distinct_clause);
    for (size_t i = 0; i < q->col_count; i++)
        TRY(sink_sources(l, env->sink, &q->cols[i]->sources));
    return OK;
}

static Err lock_rows(Look *l, const Query *q, const PgQuery__SelectStmt *s)
{
    if (s->n_locking_clause == 0)
        return OK;
    look_effect(l, EFFECT_LOCK);
    for (size_t i = 0; i < q->item_count; i++)
        if (q->items[i].rel != NULL)
            TRY(relation_add(l, q->items[i].rel, EFFECT_LOCK, 0));
    return OK;
}

static Err clauses(Look *l, const Task *t)
{
    const PgQuery__SelectStmt *s = t->node;
    Query *q = t->env.query;
    Env env;

    TRY(query_env(l, q, SINK_PREDICATE, &env));
    TRY(lock_rows(l, q, s));
    if (!is_bare_const(s->limit_count))
        TRY(expression_push(l, env, s->limit_count));
    if (!is_bare_const(s->limit_offset))
        TRY(expression_push(l, env, s->limit_offset));
    TRY(by_push(l, &env, s->sort_clause, s->n_sort_clause));
    TRY(distinct(l, &env, s));
    TRY(expression_push_all(l, env, s->window_clause, s->n_window_clause));
    TRY(expression_push(l, env, s->having_clause));
    TRY(by_push(l, &env, s->group_clause, s->n_group_clause));
    return condition_push(l, env, s->where_clause);
}

static Err targets(Look *l, const Task *t)
{
    const PgQuery__SelectStmt *s = t->node;
    Query *q = t->env.query;
    Env env;

    TRY(look_push(l, (Task){ .step = clauses, .node = s, .env = { .query = q } }));
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    return query_targets_push(l, &env, s->target_list, s->n_target_list);
}

/* --- VALUES --- */

static Err values_row(Look *l, Query *q, const PgQuery__Node *row, bool first)
{
    static const char NAME[] = "column";
    const PgQuery__List *list = row->node_case == PG_QUERY__NODE__NODE_LIST ? row->list : NULL;

    if (list == NULL || (!first && list->n_items != q->col_count))
        return look_refuse(l, 0, "VALUES lists must all be the same length", LIT(""));
    for (size_t i = 0; i < list->n_items; i++) {
        const PgQuery__Node *v = list->items[i];
        Sink *sink;
        Col *col;

        if (v->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && !node_plain_column(v))
            return look_refuse(l, 0, "\"*\" in VALUES", LIT(""));
        if (first) {
            Buf b;
            const char *name = NAME;

            TRY(query_new_col(l, q, LIT(""), &col));
            buf_init(&b, 32);
            if (text_format(&b, "%s%zu", NAME, i + 1) == OK &&
                arena_string(l->arena, buf_view(&b), &name) != OK)
                name = NAME;
            buf_done(&b);
            col->name = text_of(name);
        }
        TRY(sink_new(l, SINK_COL, &q->cols[i]->sources, q, &sink));
        TRY(expression_push(l, (Env){ q, 0, 0, sink }, v));
    }
    return OK;
}

static Err values(Look *l, Query *q, const PgQuery__SelectStmt *s)
{
    TRY(look_push(l, (Task){ .step = clauses, .node = s, .env = { .query = q } }));
    for (size_t i = 0; i < s->n_values_lists; i++)
        TRY(values_row(l, q, s->values_lists[i], i == 0));
    return OK;
}

/* --- set operations --- */

static Err end_set(Look *l, const Task *t)
{
    const PgQuery__SelectStmt *s = t->node;
    Query *q = t->env.query;
    const Query *left = q->left, *right = q->right;
    const bool compares = s->op != PG_QUERY__SET_OPERATION__SETOP_UNION || !s->all;
    Env env;

    if (left->col_count != right->col_count && !left->open && !right->open)
        return look_refuse(l, 0, "each part of a set operation must have the same columns",
                           LIT(""));
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    q->open = left->open || right->open;
    for (size_t i = 0; i < left->col_count || i < right->col_count; i++) {
        Col *col;

        TRY(query_new_col(l, q, i < left->col_count ? left->cols[i]->name : LIT("*"), &col));
        if (i < left->col_count)
            TRY(source_add_read(l, &col->sources, &left->cols[i]->sources));
        if (i < right->col_count)
            TRY(source_add_read(l, &col->sources, &right->cols[i]->sources));
        if (compares)
            TRY(sink_sources(l, env.sink, &col->sources));
    }
    return look_push(l, (Task){ .step = clauses, .node = s, .env = { .query = q } });
}

static Err end_left(Look *l, const Task *t)
{
    Query *q = t->env.query;

    return q->of_cte != NULL ? with_first_arm(l, q->of_cte, q->left) : OK;
}

static Err set_operation(Look *l, Query *q, const PgQuery__SelectStmt *s)
{
    const Env around = { .query = q };

    if (s->larg == NULL || s->rarg == NULL)
        return look_refuse(l, 0, "half a set operation", LIT(""));
    TRY(query_new(l, &around, &q->left));
    TRY(query_new(l, &around, &q->right));
    q->left->derive_into = q->right->derive_into = q->derive_into;
    TRY(look_push(l, (Task){ .step = end_set, .node = s, .env = around }));
    TRY(query_push(l, q->right, &s->rarg->base));
    TRY(look_push(l, (Task){ .step = end_left, .env = around }));
    return query_push(l, q->left, &s->larg->base);
}

static Err body(Look *l, const Task *t)
{
    const PgQuery__SelectStmt *s = t->node;
    Query *q = t->env.query;

    if (s->into_clause != NULL) {
        l->stores = true;
        look_effect(l, EFFECT_DDL | EFFECT_WRITE);
    }
    if (s->op != PG_QUERY__SET_OPERATION__SETOP_NONE &&
        s->op != PG_QUERY__SET_OPERATION__SET_OPERATION_UNDEFINED)
        return set_operation(l, q, s);
    if (s->n_values_lists > 0)
        return values(l, q, s);
    TRY(look_push(l, (Task){ .step = targets, .node = s, .env = { .query = q } }));
    return from_list_push(l, q, s->from_clause, s->n_from_clause);
}

Err query_push(Look *l, Query *q, const ProtobufCMessage *node)
{
    if (node == NULL)
        return look_refuse(l, 0, "a query without a body", LIT(""));
    if (node->descriptor != &pg_query__select_stmt__descriptor)
        return writing_push(l, q, node);
    const PgQuery__SelectStmt *s = (const PgQuery__SelectStmt *)node;

    q->select = s;
    TRY(look_push(l, (Task){ .step = body, .node = s, .env = { .query = q } }));
    return with_push(l, q, s->with_clause);
}
