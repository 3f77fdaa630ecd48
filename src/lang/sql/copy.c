/* COPY: a table or query out, a table in, files and programs of the server. */
#include "lang/sql/lineage.h"

#include "base/text.h"
#include "lang/sql/sql_lexer.h"

enum { SELECT_MAX = 1 << 20 }; /* 1,600 columns of 63 bytes, with every byte a quote: 204 KiB */

/* Which is the type of which field. */
static Err note_types(Look *l, CopyForm *form, const SchemaColumn *const *columns, size_t count,
                      bool named)
{
    size_t used = 0;
    void *mem;

    TRY(arena_array(l->out, count, sizeof(uint32_t), &mem));
    for (size_t i = 0; i < count; i++)
        if (named || !columns[i]->generated)
            ((uint32_t *)mem)[used++] = columns[i]->type_oid;
    form->types = mem;
    form->type_count = used;
    return OK;
}

/* `form` NULL: from a file or program of the target. */
static Err copy_in(Look *l, const PgQuery__CopyStmt *copy, const SchemaRelation *r, CopyForm *form)
{
    const SchemaColumn *const *columns;
    const uint32_t position =
        (uint32_t)(copy->relation->location > 0 ? copy->relation->location : 0);
    const size_t count = copy->n_attlist > 0 ? copy->n_attlist : r->column_count;
    Query *q;
    Env env;

    TRY(writing_note(l, r, copy->relation->location));
    TRY(writing_columns(l, r, copy->attlist, copy->n_attlist, &columns));
    for (size_t i = 0; i < count; i++)
        if (copy->n_attlist > 0 || !columns[i]->generated)
            TRY(writing_target(l, r, columns[i], position));
    if (form != NULL)
        TRY(note_types(l, form, columns, count, copy->n_attlist > 0));
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

/* "name", with quotes in it doubled. */
static Err put_name(Buf *out, Bytes name)
{
    TRY(buf_byte(out, '"'));
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            TRY(buf_byte(out, '"'));
        TRY(buf_byte(out, name.ptr[i]));
    }
    return buf_byte(out, '"');
}

static Err put_select(Buf *out, const Query *shown, const SchemaRelation *r)
{
    TRY(buf_append(out, LIT("SELECT")));
    for (size_t i = 0; i < shown->col_count; i++) {
        TRY(buf_append(out, i > 0 ? LIT(", ") : LIT(" ")));
        TRY(put_name(out, shown->cols[i]->name));
    }
    TRY(buf_append(out, LIT(" FROM ONLY ")));
    TRY(put_name(out, r->schema));
    TRY(buf_byte(out, '.'));
    return put_name(out, r->name);
}

/* COPY of a table is a query over it alone, without those that inherit from it. */
static Err table_query(Look *l, const Query *shown, const SchemaRelation *r, Bytes *ret)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, SELECT_MAX);
    TRY(put_select(&text, shown, r));
    return arena_copy(l->out, buf_view(&text), ret);
}

static Err copied_columns(Look *l, const PgQuery__CopyStmt *copy, const SchemaRelation *r,
                          Query *shown)
{
    const SchemaColumn *const *columns;
    const uint32_t position =
        (uint32_t)(copy->relation->location > 0 ? copy->relation->location : 0);
    const size_t count = copy->n_attlist > 0 ? copy->n_attlist : r->column_count;
    Query *q;

    TRY(writing_columns(l, r, copy->attlist, copy->n_attlist, &columns));
    TRY(query_new(l, NULL, &q));
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
    return OK;
}

/* `form` NULL: to a file or program of the target. */
static Err copy_out(Look *l, const PgQuery__CopyStmt *copy, const SchemaRelation *r,
                    const CopyForm *form)
{
    Query *shown;

    look_effect(l, EFFECT_READ);
    TRY(scope_note_read(l, r, copy->relation->location));
    TRY(query_new(l, NULL, &shown));
    TRY(copied_columns(l, copy, r, shown));
    TRY(look_push(l, (Task){ .step = end_copy_out, .state = shown }));
    if (form == NULL)
        return OK;
    if (r->kind != RELATION_TABLE)
        return look_refuse(l, copy->relation->location,
                           "\"@\" is not a plain table; use COPY (SELECT …) TO STDOUT",
                           text_of(copy->relation->relname));
    return table_query(l, shown, r, &look_statement(l)->runs);
}

/* --- COPY (query) TO --- */

static Err end_copy_query(Look *l, const Task *t)
{
    (void)t;
    return l->stores ? look_refuse(l, 0, "COPY (SELECT INTO) is not supported", LIT("")) : OK;
}

static bool returns(const ProtobufCMessage *query)
{
    if (query == NULL)
        return false;
    if (query->descriptor == &pg_query__select_stmt__descriptor)
        return true;
    if (query->descriptor == &pg_query__insert_stmt__descriptor)
        return ((const PgQuery__InsertStmt *)query)->n_returning_list > 0;
    if (query->descriptor == &pg_query__update_stmt__descriptor)
        return ((const PgQuery__UpdateStmt *)query)->n_returning_list > 0;
    return query->descriptor == &pg_query__delete_stmt__descriptor &&
           ((const PgQuery__DeleteStmt *)query)->n_returning_list > 0;
}

static Err copy_query(Look *l, const PgQuery__CopyStmt *copy)
{
    const ProtobufCMessage *query = node_inside(copy->query);
    Statement *s = look_statement(l);
    const Bytes whole = bytes_upto(bytes_from(l->text, s->start), s->length);

    if (!returns(query))
        return look_refuse(l, 0, "a query of COPY has to return rows", LIT(""));
    if (sql_lexer_brackets(whole, &s->runs) != OK)
        return look_refuse(l, 0, "the query of COPY was not found", LIT(""));
    TRY(look_push(l, (Task){ .step = end_copy_query }));
    return statement_query_push(l, query, ENDING_OUTPUTS);
}

Err copy_push(Look *l, const PgQuery__CopyStmt *copy)
{
    const bool by_target = copy->is_program || text_of(copy->filename).len > 0;
    Statement *s = look_statement(l);
    const SchemaRelation *r;
    CopyForm *form = NULL;

    s->kind = copy->is_from ? STATEMENT_COPY_FROM : STATEMENT_COPY_TO;
    if (copy->is_from)
        look_effect(l, EFFECT_WRITE);
    if (by_target)
        look_effect(l, copy->is_program ? EFFECT_OS | EFFECT_FILE : EFFECT_FILE);
    else
        TRY(copy_options(l, copy, &form));
    s->copy = form;
    if (copy->query != NULL)
        return copy_query(l, copy);
    if (copy->relation == NULL)
        return look_refuse(l, 0, "COPY without a table", LIT(""));
    TRY(scope_relation(l, copy->relation, &r));
    if (r == NULL)
        return look_refuse(l, copy->relation->location, "relation \"@\" is not known",
                           text_of(copy->relation->relname));
    return copy->is_from ? copy_in(l, copy, r, form) : copy_out(l, copy, r, form);
}
