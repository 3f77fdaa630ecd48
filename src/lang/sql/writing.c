/* INSERT, UPDATE, DELETE, MERGE: what is written, from what, and what RETURNING shows. */
#include "lang/sql/lineage.h"

#include "base/text.h"

/* One statement's target and the parts that INSERT, UPDATE and MERGE share. */
typedef struct Write {
    const ProtobufCMessage *node;
    const PgQuery__RangeVar *var;
    const SchemaRelation *rel;
    Query *source; /* INSERT … SELECT or VALUES */
} Write;

static uint32_t place(int32_t location)
{
    return location > 0 ? (uint32_t)location : 0;
}

Err writing_note(Look *l, const SchemaRelation *r, int32_t position)
{
    look_effect(l, EFFECT_WRITE);
    if (r->reading_runs_code)
        look_effect(l, EFFECT_OPAQUE);
    TRY(relation_add(l, r, EFFECT_WRITE, position));
    for (size_t i = 0; r->kind == RELATION_VIEW && i < r->column_count; i++) {
        const SchemaRelation *at = r;
        int16_t attnum = r->columns[i].attnum;

        /* A view shows a column of another view at most as deep as there are relations. */
        for (size_t depth = 0; at != NULL && depth < l->ctx->schema->relation_count; depth++) {
            const SchemaColumn *c = schema_column(at, attnum);

            if (c == NULL || c->origin.oid == 0)
                break;
            attnum = c->origin.attnum;
            at = schema_by_oid(l->ctx->schema, c->origin.oid);
            if (at != NULL)
                TRY(relation_add(l, at, EFFECT_WRITE, position));
        }
    }
    return OK;
}

static Err note_target(Look *l, Write *w)
{
    TRY(scope_relation(l, w->var, &w->rel));
    if (w->rel == NULL)
        return look_refuse(l, w->var->location, "relation \"@\" is not known",
                           text_of(w->var->relname));
    return writing_note(l, w->rel, w->var->location);
}

Err writing_columns(Look *l, const SchemaRelation *r, PgQuery__Node *const *list, size_t count,
                    const SchemaColumn *const **ret)
{
    const size_t size = count > 0 ? count : r->column_count;
    void *mem;

    TRY(arena_array(l->arena, size, sizeof(SchemaColumn *), &mem));
    for (size_t i = 0; i < size; i++) {
        const SchemaColumn *c = count > 0 ? NULL : &r->columns[i];

        if (count > 0) {
            const bool target = list[i]->node_case == PG_QUERY__NODE__NODE_RES_TARGET;
            const Bytes name = target ? text_of(list[i]->res_target->name) : node_string(list[i]);

            c = schema_column_named(r, name);
            if (c == NULL)
                return look_refuse(l, target ? list[i]->res_target->location : 0,
                                   "column \"@\" is not known in this place", name);
        }
        ((const SchemaColumn **)mem)[i] = c;
    }
    *ret = mem;
    return OK;
}

Err writing_target(Look *l, const SchemaRelation *r, const SchemaColumn *c, uint32_t position)
{
    ColumnRef at = { r->oid, c->attnum };

    for (size_t depth = 0; at.oid != 0 && depth <= l->ctx->schema->relation_count; depth++) {
        const SchemaRelation *below;
        const SchemaColumn *column;

        TRY(use_add(l, USE_WRITTEN, (Source){ at, HOW_DIRECT, position }, NO_OUTPUT));
        below = schema_by_oid(l->ctx->schema, at.oid);
        column = below != NULL ? schema_column(below, at.attnum) : NULL;
        at = column != NULL ? column->origin : (ColumnRef){ 0 };
    }
    return OK;
}

static Err written_value(Look *l, const SchemaRelation *r, const SchemaColumn *c,
                         const PgQuery__Node *node)
{
    ValueUse v = { .kind = USE_WRITTEN };
    ColumnRef at = { r->oid, c->attnum };

    if (!node_value(l, node, &v))
        return OK;
    for (size_t depth = 0; at.oid != 0 && depth <= l->ctx->schema->relation_count; depth++) {
        const SchemaRelation *below = schema_by_oid(l->ctx->schema, at.oid);
        const SchemaColumn *column = below != NULL ? schema_column(below, at.attnum) : NULL;

        v.column = at;
        TRY(value_add(l, v));
        at = column != NULL ? column->origin : (ColumnRef){ 0 };
    }
    return OK;
}

/* The expression for one name of "(a, b) = ROW(x, y)". */
static const PgQuery__Node *assigned(const PgQuery__ResTarget *t)
{
    const PgQuery__Node *val = t->val;

    if (val == NULL || val->node_case != PG_QUERY__NODE__NODE_MULTI_ASSIGN_REF)
        return val;
    const PgQuery__MultiAssignRef *m = val->multi_assign_ref;
    const PgQuery__Node *source = m->source;

    if (source == NULL || source->node_case != PG_QUERY__NODE__NODE_ROW_EXPR || m->colno < 1 ||
        (size_t)m->colno > source->row_expr->n_args)
        return NULL;
    return source->row_expr->args[m->colno - 1];
}

/* SET of UPDATE, ON CONFLICT and MERGE. */
static Err assignments(Look *l, const SchemaRelation *r, Env env, PgQuery__Node *const *list,
                       size_t count)
{
    const SchemaColumn *const *columns;

    if (count == 0)
        return OK;
    TRY(sink_new(l, SINK_CARRIED, NULL, env.query, &env.sink));
    TRY(writing_columns(l, r, list, count, &columns));
    for (size_t i = 0; i < count; i++) {
        const PgQuery__ResTarget *t = list[i]->res_target;

        TRY(writing_target(l, r, columns[i], place(t->location)));
        TRY(expression_push_all(l, env, t->indirection, t->n_indirection));
        TRY(expression_push(l, env, t->val));
        TRY(written_value(l, r, columns[i], assigned(t)));
    }
    return OK;
}

static Err returning(Look *l, Query *q, size_t high, PgQuery__Node *const *list, size_t count)
{
    Env env;

    if (count > 0)
        look_effect(l, EFFECT_READ);
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    env.high = high;
    return query_targets_push(l, &env, list, count);
}

static Err add_target(Look *l, Query *q, const Write *w)
{
    return scope_item_relation(l, q, w->var, w->rel);
}

static Err read_target(Look *l, const Write *w, bool reads)
{
    if (reads)
        look_effect(l, EFFECT_READ);
    return reads ? relation_add(l, w->rel, EFFECT_READ, w->var->location) : OK;
}

/* --- INSERT --- */

static Err inserted_values(Look *l, const Write *w, const SchemaColumn *const *columns,
                           size_t column_count)
{
    const PgQuery__SelectStmt *s = w->source->select;

    for (size_t i = 0; s != NULL && i < s->n_values_lists; i++) {
        const PgQuery__List *row = s->values_lists[i]->list;

        for (size_t k = 0; k < row->n_items && k < column_count; k++)
            TRY(written_value(l, w->rel, columns[k], row->items[k]));
    }
    for (size_t k = 0; s != NULL && k < s->n_target_list && k < column_count; k++)
        if (s->n_target_list == w->source->col_count)
            TRY(written_value(l, w->rel, columns[k], s->target_list[k]->res_target->val));
    return OK;
}

static Err end_insert_source(Look *l, const Task *t)
{
    const Write *w = t->state;
    const PgQuery__InsertStmt *s = (const PgQuery__InsertStmt *)w->node;
    const SchemaColumn *const *columns;
    size_t count = s->n_cols > 0 ? s->n_cols : w->rel->column_count;

    TRY(writing_columns(l, w->rel, s->cols, s->n_cols, &columns));
    if (w->source != NULL) {
        Env env = { .query = t->env.query };

        TRY(sink_new(l, SINK_CARRIED, NULL, t->env.query, &env.sink));
        for (size_t i = 0; i < w->source->col_count; i++)
            TRY(sink_sources(l, env.sink, &w->source->cols[i]->sources));
        if (w->source->col_count < count && !w->source->open)
            count = w->source->col_count;
        TRY(inserted_values(l, w, columns, count));
    } else {
        count = s->n_cols; /* DEFAULT VALUES */
    }
    for (size_t i = 0; i < count; i++)
        TRY(writing_target(l, w->rel, columns[i],
                           s->n_cols > 0 ? place(s->cols[i]->res_target->location)
                                         : place(w->var->location)));
    return OK;
}

static Err infer(Look *l, const Env *env, const PgQuery__InferClause *clause)
{
    if (clause == NULL)
        return OK;
    for (size_t i = 0; i < clause->n_index_elems; i++) {
        const PgQuery__IndexElem *e = clause->index_elems[i]->index_elem;
        const Col *col = NULL;

        if (clause->index_elems[i]->node_case != PG_QUERY__NODE__NODE_INDEX_ELEM)
            return look_refuse(l, clause->location, "an unknown kind of index", LIT(""));
        TRY(expression_push(l, *env, e->expr));
        if (text_of(e->name).len > 0)
            TRY(scope_local_column(l, env->query, text_of(e->name), &col));
        if (col != NULL)
            TRY(sink_sources(l, env->sink, &col->sources));
    }
    return expression_push(l, *env, clause->where_clause);
}

static Err on_conflict(Look *l, const Task *t)
{
    const Write *w = t->state;
    const PgQuery__OnConflictClause *c = ((const PgQuery__InsertStmt *)w->node)->on_conflict_clause;
    Query *q = t->env.query;
    Env env;

    if (c == NULL)
        return OK;
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    TRY(infer(l, &env, c->infer));
    TRY(scope_item_relation(l, q, w->var, w->rel));
    q->items[q->last_item].alias = LIT("excluded");
    q->items[q->last_item].aliased = true;
    /* An unqualified name in SET or WHERE that both have is ambiguous to PostgreSQL too. */
    env.high = q->item_count;
    if (c->n_target_list > 0 || c->where_clause != NULL)
        TRY(read_target(l, w, true));
    TRY(condition_push(l, env, c->where_clause));
    return assignments(l, w->rel, env, c->target_list, c->n_target_list);
}

static Err insert(Look *l, const Task *t)
{
    Write *w = t->state;
    const PgQuery__InsertStmt *s = (const PgQuery__InsertStmt *)w->node;
    Query *q = t->env.query;
    const Env around = { .query = q };

    TRY(note_target(l, w));
    TRY(add_target(l, q, w));
    TRY(read_target(l, w, s->n_returning_list > 0));
    TRY(returning(l, q, 1, s->returning_list, s->n_returning_list));
    TRY(look_push(l, (Task){ .step = on_conflict, .env = around, .state = w }));
    TRY(look_push(l, (Task){ .step = end_insert_source, .env = around, .state = w }));
    if (s->select_stmt == NULL)
        return OK;
    TRY(query_new(l, &around, &w->source));
    w->source->derive_into = q->derive_into;
    return query_push(l, w->source, node_inside(s->select_stmt));
}

/* --- UPDATE, DELETE --- */

static Err update_body(Look *l, const Task *t)
{
    const Write *w = t->state;
    const PgQuery__UpdateStmt *s = (const PgQuery__UpdateStmt *)w->node;
    Query *q = t->env.query;
    Env env;

    TRY(query_env(l, q, SINK_PREDICATE, &env));
    TRY(condition_push(l, env, s->where_clause));
    TRY(assignments(l, w->rel, env, s->target_list, s->n_target_list));
    return returning(l, q, q->item_count, s->returning_list, s->n_returning_list);
}

static Err update(Look *l, const Task *t)
{
    Write *w = t->state;
    const PgQuery__UpdateStmt *s = (const PgQuery__UpdateStmt *)w->node;
    Query *q = t->env.query;

    TRY(note_target(l, w));
    TRY(add_target(l, q, w));
    TRY(read_target(l, w,
                    s->where_clause != NULL || s->n_from_clause > 0 || s->n_returning_list > 0));
    TRY(look_push(l, (Task){ .step = update_body, .env = { .query = q }, .state = w }));
    return from_list_push(l, q, s->from_clause, s->n_from_clause);
}

static Err delete_body(Look *l, const Task *t)
{
    const Write *w = t->state;
    const PgQuery__DeleteStmt *s = (const PgQuery__DeleteStmt *)w->node;
    Query *q = t->env.query;
    Env env;

    TRY(query_env(l, q, SINK_PREDICATE, &env));
    TRY(condition_push(l, env, s->where_clause));
    return returning(l, q, q->item_count, s->returning_list, s->n_returning_list);
}

static Err delete (Look *l, const Task *t)
{
    Write *w = t->state;
    const PgQuery__DeleteStmt *s = (const PgQuery__DeleteStmt *)w->node;
    Query *q = t->env.query;

    TRY(note_target(l, w));
    TRY(add_target(l, q, w));
    TRY(read_target(l, w,
                    s->where_clause != NULL || s->n_using_clause > 0 || s->n_returning_list > 0));
    TRY(look_push(l, (Task){ .step = delete_body, .env = { .query = q }, .state = w }));
    return from_list_push(l, q, s->using_clause, s->n_using_clause);
}

/* --- MERGE: the target is item 0, the source what follows --- */

static Err merge_insert(Look *l, const Write *w, Env env, const PgQuery__MergeWhenClause *when)
{
    const SchemaColumn *const *columns;
    const size_t named = when->n_target_list;
    const size_t count = named > 0 ? named : w->rel->column_count;

    env.low = 1;
    TRY(sink_new(l, SINK_CARRIED, NULL, env.query, &env.sink));
    TRY(writing_columns(l, w->rel, when->target_list, named, &columns));
    TRY(expression_push_all(l, env, when->values, when->n_values));
    for (size_t i = 0; i < count && i < when->n_values; i++) {
        TRY(writing_target(l, w->rel, columns[i], place(w->var->location)));
        TRY(written_value(l, w->rel, columns[i], when->values[i]));
    }
    return OK;
}

static Err merge_when(Look *l, const Write *w, Env env, const PgQuery__Node *node)
{
    const PgQuery__MergeWhenClause *when = node->merge_when_clause;

    if (node->node_case != PG_QUERY__NODE__NODE_MERGE_WHEN_CLAUSE)
        return look_refuse(l, 0, "an unknown kind of WHEN", LIT(""));
    /* The condition of WHEN NOT MATCHED sees the source only. */
    const bool inserts = !when->matched;
    Env condition = env;

    condition.low = inserts ? 1 : 0;
    TRY(expression_push(l, condition, when->condition));
    if (inserts)
        return merge_insert(l, w, env, when);
    return assignments(l, w->rel, env, when->target_list, when->n_target_list);
}

static Err merge_body(Look *l, const Task *t)
{
    const Write *w = t->state;
    const PgQuery__MergeStmt *s = (const PgQuery__MergeStmt *)w->node;
    Env env;

    TRY(query_env(l, t->env.query, SINK_PREDICATE, &env));
    for (size_t i = 0; i < s->n_merge_when_clauses; i++)
        TRY(merge_when(l, w, env, s->merge_when_clauses[i]));
    return condition_push(l, env, s->join_condition);
}

static Err merge(Look *l, const Task *t)
{
    Write *w = t->state;
    const PgQuery__MergeStmt *s = (const PgQuery__MergeStmt *)w->node;
    Query *q = t->env.query;

    TRY(note_target(l, w));
    TRY(add_target(l, q, w));
    TRY(read_target(l, w, true));
    TRY(look_push(l, (Task){ .step = merge_body, .env = { .query = q }, .state = w }));
    return from_push(l, q, s->source_relation);
}

Err writing_push(Look *l, Query *q, const ProtobufCMessage *node)
{
    const PgQuery__WithClause *with = NULL;
    Task task = { .env = { .query = q } };
    void *mem;

    TRY(arena_alloc(l->arena, sizeof(Write), &mem));
    Write *w = mem;

    task.state = w;
    w->node = node;
    if (node->descriptor == &pg_query__insert_stmt__descriptor) {
        task.step = insert;
        w->var = ((const PgQuery__InsertStmt *)node)->relation;
        with = ((const PgQuery__InsertStmt *)node)->with_clause;
    } else if (node->descriptor == &pg_query__update_stmt__descriptor) {
        task.step = update;
        w->var = ((const PgQuery__UpdateStmt *)node)->relation;
        with = ((const PgQuery__UpdateStmt *)node)->with_clause;
    } else if (node->descriptor == &pg_query__delete_stmt__descriptor) {
        task.step = delete;
        w->var = ((const PgQuery__DeleteStmt *)node)->relation;
        with = ((const PgQuery__DeleteStmt *)node)->with_clause;
    } else if (node->descriptor == &pg_query__merge_stmt__descriptor) {
        task.step = merge;
        w->var = ((const PgQuery__MergeStmt *)node)->relation;
        with = ((const PgQuery__MergeStmt *)node)->with_clause;
    }
    if (task.step == NULL || w->var == NULL)
        return look_refuse(l, 0, "an unknown kind of query", LIT(""));
    TRY(look_push(l, task));
    return with_push(l, q, with);
}
