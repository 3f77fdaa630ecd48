/* Statements that have a step of their own: queries and what wraps them. */
#include "lang/sql/lineage.h"

#include "base/text.h"
#include "lang/sql/sql_lexer.h"

#include <string.h>

typedef Err (*Reader)(Look *l, const ProtobufCMessage *node);

Err statement_output(Look *l, Bytes name)
{
    Statement *s = look_statement(l);
    void *mem;

    TRY(arena_array(l->out, s->output_count + 1, sizeof(Output), &mem));
    if (s->output_count > 0)
        memcpy(mem, s->outputs, s->output_count * sizeof(Output));
    ((Output *)mem)[s->output_count] = (Output){ .kind = OUTPUT_COMPUTED, .name = name };
    s->outputs = mem;
    s->output_count++;
    return OK;
}

static Err show_outputs(Look *l, const Query *q)
{
    Statement *s = look_statement(l);
    void *mem;

    TRY(arena_array(l->out, q->col_count, sizeof(Output), &mem));
    for (size_t i = 0; i < q->col_count; i++) {
        const Col *c = q->cols[i];

        ((Output *)mem)[i] = (Output){
            .kind = c->shown.oid != 0 ? OUTPUT_COLUMN : OUTPUT_COMPUTED,
            .column = c->shown,
            .name = c->name,
        };
    }
    s->outputs = mem;
    s->output_count = q->col_count;
    s->outputs_known = !q->open;
    return emit_outputs(l, q, false);
}

static Err end_query(Look *l, const Task *t)
{
    const Query *q = t->state;
    const Ending *ending = t->node;

    if (l->stores || *ending == ENDING_CARRIED)
        return emit_carried(l, q);
    return *ending == ENDING_PLAN ? emit_outputs(l, q, true) : show_outputs(l, q);
}

Err statement_query_push(Look *l, const ProtobufCMessage *node, Ending ending)
{
    static const Ending ENDINGS[] = { ENDING_OUTPUTS, ENDING_CARRIED, ENDING_PLAN };
    Query *q;

    if (l->ctx->schema->implicit_user_cast)
        look_effect(l, EFFECT_OPAQUE | EFFECT_WRITE);
    if (node != NULL && node->descriptor == &pg_query__select_stmt__descriptor)
        look_effect(l, EFFECT_READ);
    TRY(query_new(l, NULL, &q));
    TRY(look_push(l, (Task){ .step = end_query, .node = &ENDINGS[ending], .state = q }));
    return query_push(l, q, node);
}

/* --- SELECT, INSERT, UPDATE, DELETE, MERGE --- */

static Err on_query(Look *l, const ProtobufCMessage *node)
{
    Statement *s = look_statement(l);

    s->kind = STATEMENT_SELECT;
    if (node->descriptor == &pg_query__insert_stmt__descriptor) {
        s->kind = STATEMENT_INSERT;
    } else if (node->descriptor == &pg_query__update_stmt__descriptor) {
        s->kind = STATEMENT_UPDATE;
        s->has_where = ((const PgQuery__UpdateStmt *)node)->where_clause != NULL;
    } else if (node->descriptor == &pg_query__delete_stmt__descriptor) {
        s->kind = STATEMENT_DELETE;
        s->has_where = ((const PgQuery__DeleteStmt *)node)->where_clause != NULL;
    } else if (node->descriptor == &pg_query__merge_stmt__descriptor) {
        s->kind = STATEMENT_MERGE;
    }
    return statement_query_push(l, node, ENDING_OUTPUTS);
}

static bool is_query(const ProtobufCMessage *node)
{
    return node != NULL && (node->descriptor == &pg_query__select_stmt__descriptor ||
                            node->descriptor == &pg_query__insert_stmt__descriptor ||
                            node->descriptor == &pg_query__update_stmt__descriptor ||
                            node->descriptor == &pg_query__delete_stmt__descriptor ||
                            node->descriptor == &pg_query__merge_stmt__descriptor);
}

/* --- EXPLAIN --- */

/* As defGetBoolean() reads it; anything odd counts as yes. */
static bool option_on(const PgQuery__DefElem *e)
{
    static const char *const OFF[] = { "false", "off", "0" };
    ValueUse v = { 0 };

    if (e->arg == NULL)
        return true;
    if (e->arg->node_case == PG_QUERY__NODE__NODE_INTEGER)
        return e->arg->integer->ival != 0;
    if (e->arg->node_case == PG_QUERY__NODE__NODE_BOOLEAN)
        return e->arg->boolean->boolval;
    v.literal = node_string(e->arg);
    for (size_t i = 0; i < COUNT_OF(OFF); i++)
        if (text_eq_nocase(v.literal, text_of(OFF[i])))
            return false;
    return true;
}

static Err on_explain(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__ExplainStmt *e = (const PgQuery__ExplainStmt *)node;
    const ProtobufCMessage *inner = node_inside(e->query);
    Statement *s = look_statement(l);

    for (size_t i = 0; i < e->n_options; i++) {
        const PgQuery__DefElem *option = e->options[i]->def_elem;

        if (e->options[i]->node_case == PG_QUERY__NODE__NODE_DEF_ELEM &&
            text_eq(text_of(option->defname), LIT("analyze")) && option_on(option))
            s->analyze = true;
    }
    if (is_query(inner))
        TRY(statement_query_push(l, inner, ENDING_PLAN));
    else if (inner != NULL)
        TRY(statement_push(l, inner));
    s->kind = STATEMENT_EXPLAIN;
    s->outputs = NULL;
    s->output_count = 0;
    s->outputs_known = true;
    return statement_output(l, LIT("QUERY PLAN"));
}

/* --- PREPARE, DECLARE: the text that is kept --- */

/* From the first token of the kept statement on: that is where the grammar has it last, so
 * the keyword before it marks the place. */
static Err kept_text(Look *l, Bytes after)
{
    Statement *s = look_statement(l);
    const Bytes whole = bytes_upto(bytes_from(l->text, s->start), s->length);

    return sql_lexer_after(whole, after, &s->inner) == OK
               ? OK
               : look_refuse(l, (int32_t)s->start, "the kept statement was not found", LIT(""));
}

static Err on_prepare(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__PrepareStmt *p = (const PgQuery__PrepareStmt *)node;
    Statement *s = look_statement(l);

    s->kind = STATEMENT_PREPARE;
    s->refers = REFER_PREPARED;
    s->name = text_of(p->name);
    TRY(kept_text(l, LIT("as")));
    return statement_query_push(l, node_inside(p->query), ENDING_OUTPUTS);
}

/* CURSOR_OPT_HOLD of parsenodes.h. */
enum { CURSOR_HOLD = 0x0020 };

static Err on_declare(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__DeclareCursorStmt *d = (const PgQuery__DeclareCursorStmt *)node;
    Statement *s = look_statement(l);

    s->kind = STATEMENT_DECLARE;
    s->holds = (d->options & CURSOR_HOLD) != 0;
    s->refers = REFER_CURSOR;
    s->name = text_of(d->portalname);
    TRY(kept_text(l, LIT("for")));
    return statement_query_push(l, node_inside(d->query), ENDING_OUTPUTS);
}

static Err refer(Look *l, StatementKind kind, ReferKind refers, const char *name)
{
    Statement *s = look_statement(l);

    s->kind = kind;
    s->refers = refers;
    s->name = text_of(name).len > 0 ? text_of(name) : LIT("all");
    s->outputs_known = kind != STATEMENT_EXECUTE && kind != STATEMENT_FETCH;
    return OK;
}

static Err on_execute(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__ExecuteStmt *e = (const PgQuery__ExecuteStmt *)node;
    Query *q;
    Env env;

    l->depends_on_literals = true;
    TRY(query_new(l, NULL, &q));
    TRY(query_env(l, q, SINK_CARRIED, &env));
    TRY(expression_push_all(l, env, e->params, e->n_params));
    return refer(l, STATEMENT_EXECUTE, REFER_PREPARED, e->name);
}

static Err on_deallocate(Look *l, const ProtobufCMessage *node)
{
    return refer(l, STATEMENT_DEALLOCATE, REFER_PREPARED,
                 ((const PgQuery__DeallocateStmt *)node)->name);
}

static Err on_fetch(Look *l, const ProtobufCMessage *node)
{
    return refer(l, STATEMENT_FETCH, REFER_CURSOR, ((const PgQuery__FetchStmt *)node)->portalname);
}

static Err on_close(Look *l, const ProtobufCMessage *node)
{
    return refer(l, STATEMENT_CLOSE, REFER_CURSOR,
                 ((const PgQuery__ClosePortalStmt *)node)->portalname);
}

/* --- tables and views made from queries --- */

static Err stored(Look *l, const PgQuery__Node *query, unsigned effects)
{
    const ProtobufCMessage *inner = node_inside(query);

    look_effect(l, effects);
    if (inner != NULL && inner->descriptor == &pg_query__execute_stmt__descriptor) {
        TRY(on_execute(l, inner));
        look_statement(l)->kind = STATEMENT_OTHER;
        look_statement(l)->outputs_known = true;
        return OK;
    }
    return statement_query_push(l, inner, ENDING_CARRIED);
}

static Err on_create_as(Look *l, const ProtobufCMessage *node)
{
    return stored(l, ((const PgQuery__CreateTableAsStmt *)node)->query,
                  EFFECT_DDL | EFFECT_WRITE | EFFECT_READ);
}

static Err on_view(Look *l, const ProtobufCMessage *node)
{
    return stored(l, ((const PgQuery__ViewStmt *)node)->query, EFFECT_DDL | EFFECT_READ);
}

static Err on_copy(Look *l, const ProtobufCMessage *node)
{
    return copy_push(l, (const PgQuery__CopyStmt *)node);
}

static Err on_set(Look *l, const ProtobufCMessage *node)
{
    return setting_set(l, (const PgQuery__VariableSetStmt *)node);
}

static Err on_show(Look *l, const ProtobufCMessage *node)
{
    return setting_show(l, (const PgQuery__VariableShowStmt *)node);
}

static Err on_discard(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__DiscardStmt *d = (const PgQuery__DiscardStmt *)node;
    Statement *s = look_statement(l);

    s->kind = STATEMENT_DISCARD;
    s->name = d->target == PG_QUERY__DISCARD_MODE__DISCARD_PLANS       ? LIT("plans")
              : d->target == PG_QUERY__DISCARD_MODE__DISCARD_SEQUENCES ? LIT("sequences")
              : d->target == PG_QUERY__DISCARD_MODE__DISCARD_TEMP      ? LIT("temp")
                                                                       : LIT("all");
    return OK;
}

static Err on_transaction(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__TransactionStmt *t = (const PgQuery__TransactionStmt *)node;
    Statement *s = look_statement(l);

    s->chain = t->chain;
    switch ((int)t->kind) {
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_BEGIN:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_START:
        s->kind = STATEMENT_BEGIN;
        return OK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_COMMIT:
        s->kind = STATEMENT_COMMIT;
        return OK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK:
        s->kind = STATEMENT_ROLLBACK;
        return OK;
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_SAVEPOINT:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_RELEASE:
    case PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO:
        s->kind = STATEMENT_SAVEPOINT;
        s->name = text_of(t->savepoint_name);
        return OK;
    default:
        look_effect(l, EFFECT_ADMIN | EFFECT_WRITE); /* two-phase commit */
        return OK;
    }
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    Reader read;
} READERS[] = {
    { &pg_query__select_stmt__descriptor, on_query },
    { &pg_query__insert_stmt__descriptor, on_query },
    { &pg_query__update_stmt__descriptor, on_query },
    { &pg_query__delete_stmt__descriptor, on_query },
    { &pg_query__merge_stmt__descriptor, on_query },
    { &pg_query__explain_stmt__descriptor, on_explain },
    { &pg_query__prepare_stmt__descriptor, on_prepare },
    { &pg_query__declare_cursor_stmt__descriptor, on_declare },
    { &pg_query__execute_stmt__descriptor, on_execute },
    { &pg_query__deallocate_stmt__descriptor, on_deallocate },
    { &pg_query__fetch_stmt__descriptor, on_fetch },
    { &pg_query__close_portal_stmt__descriptor, on_close },
    { &pg_query__create_table_as_stmt__descriptor, on_create_as },
    { &pg_query__view_stmt__descriptor, on_view },
    { &pg_query__copy_stmt__descriptor, on_copy },
    { &pg_query__variable_set_stmt__descriptor, on_set },
    { &pg_query__variable_show_stmt__descriptor, on_show },
    { &pg_query__discard_stmt__descriptor, on_discard },
    { &pg_query__transaction_stmt__descriptor, on_transaction },
};

Err statement_push(Look *l, const ProtobufCMessage *node)
{
    look_statement(l)->outputs_known = true;
    for (size_t i = 0; i < COUNT_OF(READERS); i++)
        if (READERS[i].type == node->descriptor)
            return READERS[i].read(l, node);
    return utility_push(l, node);
}
