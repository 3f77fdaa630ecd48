/* COPY: a table or query out, a table in, files and programs of the server. */
#include "lang/sql/lineage.h"

#include "base/text.h"

static Err copy_in(Look *l, const PgQuery__CopyStmt *copy, const SchemaRelation *r)
{
    const SchemaColumn *const *columns;
    const uint32_t position =
        (uint32_t)(copy->relation->location > 0 ? copy->relation->location : 0);
    const size_t count = copy->n_attlist > 0 ? copy->n_attlist : r->column_count;
    Query *q;
    Env env;

    look_statement(l)->kind = STATEMENT_COPY_FROM;
    TRY(writing_note(l, r, copy->relation->location));
    TRY(writing_columns(l, r, copy->attlist, copy->n_attlist, &columns));
    for (size_t i = 0; i < count; i++)
        if (copy->n_attlist > 0 || !columns[i]->generated)
            TRY(writing_target(l, r, columns[i], position));
    if (copy->where_clause == NULL)
        return OK;
    TRY(query_new(l, NULL, &q));
    TRY(scope_item_relation(l, q, copy->relation, r));
    TRY(query_env(l, q, SINK_PREDICATE, &env));
    return condition_push(l, env, copy->where_clause);
}

static Err end_copy_out(Look *l, const Task *t)
{
    Statement *s = look_statement(l);
    const Query *q = t->state;
    void *mem;

    TRY(arena_array(l->out, q->col_count, sizeof(Output), &mem));
    for (size_t i = 0; i < q->col_count; i++)
        ((Output *)mem)[i] = (Output){ .kind = OUTPUT_COLUMN,
                                       .column = q->cols[i]->shown,
                                       .name = q->cols[i]->name };
    s->outputs = mem;
    s->output_count = q->col_count;
    return emit_outputs(l, q, false);
}

static Err copy_out(Look *l, const PgQuery__CopyStmt *copy, const SchemaRelation *r)
{
    const SchemaColumn *const *columns;
    const uint32_t position =
        (uint32_t)(copy->relation->location > 0 ? copy->relation->location : 0);
    const size_t count = copy->n_attlist > 0 ? copy->n_attlist : r->column_count;
    Query *q, *shown;

    look_effect(l, EFFECT_READ);
    TRY(scope_note_read(l, r, copy->relation->location));
    TRY(writing_columns(l, r, copy->attlist, copy->n_attlist, &columns));
    TRY(query_new(l, NULL, &q));
    TRY(query_new(l, NULL, &shown));
    TRY(scope_item_relation(l, q, copy->relation, r));
    for (size_t i = 0; i < count; i++) {
        const Col *from;
        Col *col;

        if (copy->n_attlist == 0 && columns[i]->generated)
            continue;
        TRY(scope_item_column(l, &q->items[0], columns[i]->name, &from));
        TRY(col_at(l, from, position, &from));
        TRY(query_new_col(l, shown, from->name, &col));
        *col = *from;
    }
    return look_push(l, (Task){ .step = end_copy_out, .state = shown });
}

Err copy_push(Look *l, const PgQuery__CopyStmt *copy)
{
    const SchemaRelation *r;

    look_statement(l)->kind = copy->is_from ? STATEMENT_COPY_FROM : STATEMENT_COPY_TO;
    if (copy->is_from)
        look_effect(l, EFFECT_WRITE);
    if (copy->is_program)
        look_effect(l, EFFECT_OS | EFFECT_FILE);
    else if (text_of(copy->filename).len > 0)
        look_effect(l, EFFECT_FILE);
    if (copy->query != NULL)
        return statement_query_push(l, node_inside(copy->query), ENDING_OUTPUTS);
    if (copy->relation == NULL)
        return look_refuse(l, 0, "COPY without a table", LIT(""));
    TRY(scope_relation(l, copy->relation, &r));
    if (r == NULL)
        return look_refuse(l, copy->relation->location, "relation \"@\" is not known",
                           text_of(copy->relation->relname));
    return copy->is_from ? copy_in(l, copy, r) : copy_out(l, copy, r);
}
