/* WITH: common table expressions, recursive ones by the union of all they could carry. */
#include "lang/sql/lineage.h"

#include "base/text.h"

static Err add_column(Look *l, Cte *cte, Bytes name, const Sources *from)
{
    Col *col;

    TRY(query_new_col(l, cte->query, name, &col));
    return source_add_read(l, &col->sources, from);
}

/* SEARCH and CYCLE add columns made of the ones that they name. */
static Err search_and_cycle(Look *l, Cte *cte, const Sources *all)
{
    const PgQuery__CTESearchClause *search = cte->node->search_clause;
    const PgQuery__CTECycleClause *cycle = cte->node->cycle_clause;

    if (search != NULL)
        TRY(add_column(l, cte, text_of(search->search_seq_column), all));
    if (cycle != NULL) {
        TRY(add_column(l, cte, text_of(cycle->cycle_mark_column), all));
        TRY(add_column(l, cte, text_of(cycle->cycle_path_column), all));
    }
    return OK;
}

static Err rename_columns(Look *l, const Cte *cte, Col **cols, size_t count)
{
    if (cte->node->n_aliascolnames > count && !cte->open)
        return look_refuse(l, cte->node->location, "\"@\" has more column names than columns",
                           cte->name);
    for (size_t i = 0; i < cte->node->n_aliascolnames && i < count; i++)
        cols[i]->name = node_string(cte->node->aliascolnames[i]);
    return OK;
}

static Err sources_of_all(Look *l, const Query *q, Sources *ret)
{
    for (size_t i = 0; i < q->col_count; i++)
        TRY(source_add_read(l, ret, &q->cols[i]->sources));
    return OK;
}

/* Whatever went in may come out of any column after enough rounds. */
static Err mix_columns(Look *l, Query *q, const Sources *all)
{
    Env env;

    for (size_t i = 0; i < q->col_count; i++) {
        q->cols[i]->shown = (ColumnRef){ 0 };
        q->cols[i]->sources = *all;
        q->cols[i]->sources.cap = 0; /* shared: whoever adds copies first */
    }
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    return sink_sources(l, env.sink, all);
}

/* `arm` is the part before UNION: what the part behind it reads under the CTE's own name. */
Err with_first_arm(Look *l, Cte *cte, const Query *arm)
{
    Query copy = { 0 };

    for (size_t i = 0; i < arm->col_count; i++) {
        Col *col;

        TRY(query_new_col(l, &copy, arm->cols[i]->name, &col));
        TRY(source_add_read(l, &col->sources, &arm->cols[i]->sources));
    }
    cte->open = arm->open;
    cte->cols = copy.cols;
    cte->col_count = copy.col_count;
    cte->state = CTE_SELF;
    return rename_columns(l, cte, cte->cols, cte->col_count);
}

static Err end_cte(Look *l, const Task *t)
{
    Query *around = t->env.query;
    Cte *cte = t->state;
    Query *q = cte->query;
    Sources all = { 0 };

    cte->open = q->open;
    TRY(rename_columns(l, cte, q->cols, q->col_count));
    TRY(sources_of_all(l, q, &all));
    if (cte->recursive)
        TRY(mix_columns(l, q, &all));
    else
        TRY(query_settle(l, q));
    TRY(search_and_cycle(l, cte, &all));
    cte->cols = q->cols;
    cte->col_count = q->col_count;
    cte->state = CTE_DONE;
    if (!around->cte_recursive)
        around->cte_seen++;
    return OK;
}

static Err begin_cte(Look *l, const Task *t)
{
    Cte *cte = t->state;

    TRY(query_new(l, &t->env, &cte->query));
    cte->query->derive_into = t->env.query->derive_into;
    cte->query->of_cte = t->env.query->cte_recursive ? cte : NULL;
    cte->state = CTE_RUNNING;
    TRY(look_push(l, (Task){ .step = end_cte, .env = t->env, .state = cte }));
    return query_push(l, cte->query, node_inside(cte->node->ctequery));
}

Err with_push(Look *l, Query *q, const PgQuery__WithClause *with)
{
    void *ctes;

    if (with == NULL)
        return OK;
    TRY(arena_array(l->arena, with->n_ctes, sizeof(Cte), &ctes));
    q->ctes = ctes;
    q->cte_count = with->n_ctes;
    q->cte_recursive = with->recursive;
    q->cte_seen = with->recursive ? with->n_ctes : 0;
    for (size_t i = with->n_ctes; i > 0; i--) {
        const PgQuery__Node *node = with->ctes[i - 1];

        if (node->node_case != PG_QUERY__NODE__NODE_COMMON_TABLE_EXPR)
            return look_refuse(l, with->location, "an unknown kind of WITH", LIT(""));
        q->ctes[i - 1].node = node->common_table_expr;
        q->ctes[i - 1].name = text_of(node->common_table_expr->ctename);
        TRY(look_push(
            l, (Task){ .step = begin_cte, .env = { .query = q }, .state = &q->ctes[i - 1] }));
    }
    return OK;
}
