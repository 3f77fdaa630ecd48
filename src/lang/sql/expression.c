/* Expressions: every column that one reads goes to the sink of the place where it stands. */
#include "lang/sql/lineage.h"

#include "base/text.h"

typedef Err (*Handler)(Look *l, const Task *task, const ProtobufCMessage *message);

const ProtobufCMessage *node_inside(const void *node)
{
    const ProtobufCMessage *m = node;

    if (m == NULL || m->descriptor != &pg_query__node__descriptor)
        return m;
    const PgQuery__Node *n = node;

    return n->node_case == PG_QUERY__NODE__NODE__NOT_SET ? NULL
                                                         : (const ProtobufCMessage *)n->alias;
}

Bytes node_string(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == PG_QUERY__NODE__NODE_STRING
               ? text_of(node->string->sval)
               : LIT("");
}

Err expression_push(Look *l, Env env, const void *node)
{
    return node == NULL ? OK
                        : look_push(l, (Task){ .step = expression_step, .node = node, .env = env });
}

Err condition_push(Look *l, Env env, const PgQuery__Node *node)
{
    const Task task = { .step = expression_step, .node = node, .env = env, .at_top = true };

    return node == NULL ? OK : look_push(l, task);
}

Err expression_push_all(Look *l, Env env, PgQuery__Node *const *nodes, size_t count)
{
    for (size_t i = count; i > 0; i--)
        TRY(expression_push(l, env, nodes[i - 1]));
    return OK;
}

static const ProtobufCMessage *const *
field_messages(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t *ret_count)
{
    const uint8_t *base = (const uint8_t *)m;
    const void *at = base + f->offset, *quantity = base + f->quantifier_offset;

    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        *ret_count = *(const size_t *)quantity;
        return *(const ProtobufCMessage *const *const *)at;
    }
    const bool other =
        (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && *(const uint32_t *)quantity != f->id;

    *ret_count = other || *(const ProtobufCMessage *const *)at == NULL ? 0 : 1;
    return at;
}

Err expression_children(Look *l, Env env, const ProtobufCMessage *m)
{
    for (unsigned i = m->descriptor->n_fields; i > 0; i--) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i - 1];
        size_t count;

        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        const ProtobufCMessage *const *list = field_messages(m, f, &count);

        for (size_t k = count; k > 0; k--)
            TRY(expression_push(l, env, list[k - 1]));
    }
    return OK;
}

/* --- values --- */

static Bytes const_text(const PgQuery__AConst *c, Look *l)
{
    Buf b;
    const char *text = "";

    switch (c->val_case) {
    case PG_QUERY__A__CONST__VAL_SVAL:
        return text_of(c->sval->sval);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return text_of(c->fval->fval);
    case PG_QUERY__A__CONST__VAL_BSVAL:
        return text_of(c->bsval->bsval);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        return c->boolval->boolval ? LIT("true") : LIT("false");
    case PG_QUERY__A__CONST__VAL_IVAL:
        buf_init(&b, 16);
        if (text_format(&b, "%d", c->ival->ival) != OK ||
            arena_string(l->arena, buf_view(&b), &text) != OK)
            text = "";
        buf_done(&b);
        return text_of(text);
    case PG_QUERY__A__CONST__VAL__NOT_SET:
    case _PG_QUERY__A__CONST__VAL__CASE_IS_INT_SIZE:
        break;
    }
    return LIT("");
}

bool node_value(Look *l, const PgQuery__Node *node, ValueUse *ret)
{
    while (node != NULL && node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        node = node->type_cast->arg;
    if (node == NULL)
        return false;
    if (node->node_case == PG_QUERY__NODE__NODE_PARAM_REF && node->param_ref->number > 0) {
        ret->parameter = (uint32_t)node->param_ref->number;
        ret->position = (uint32_t)(node->param_ref->location > 0 ? node->param_ref->location : 0);
        return true;
    }
    if (node->node_case != PG_QUERY__NODE__NODE_A_CONST || node->a_const->isnull)
        return false;
    ret->parameter = 0;
    ret->literal = const_text(node->a_const, l);
    ret->position = (uint32_t)(node->a_const->location > 0 ? node->a_const->location : 0);
    return true;
}

uint32_t node_position(const PgQuery__ColumnRef *ref)
{
    return ref->location > 0 ? (uint32_t)ref->location : 0;
}

/* (row).field, where `row` is an item of the scope: the field is a column, or refused. */
static Err row_field(Look *l, const Env *env, const PgQuery__AIndirection *ind, const Col **ret)
{
    const Item *item;
    const Col *col;

    *ret = NULL;
    if (ind->n_indirection != 1 || ind->arg == NULL || node_string(ind->indirection[0]).len == 0)
        return OK;
    TRY(scope_row_item(l, env, ind->arg, &item));
    if (item == NULL)
        return OK;
    const Bytes name = node_string(ind->indirection[0]);
    const uint32_t position = node_position(ind->arg->column_ref);

    TRY(scope_item_column(l, item, name, &col));
    if (col == NULL)
        return look_refuse(l, (int32_t)position, "column \"@\" is not known in this place", name);
    return col_at(l, col, position, ret);
}

bool node_plain_column(const PgQuery__Node *node)
{
    const PgQuery__ColumnRef *ref =
        node != NULL && node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF ? node->column_ref
                                                                           : NULL;

    return ref != NULL && ref->n_fields > 0 && node_string(ref->fields[ref->n_fields - 1]).len > 0;
}

/* A cast to the very type of the column is none: RowDescription still names the column. */
static Err plain_cast(Look *l, const Env *env, const PgQuery__TypeCast *cast, const Col **ret)
{
    const uint32_t oid = effect_type_oid(l, cast->type_name);
    const Col *col;

    *ret = NULL;
    if (oid == 0 || !node_plain_column(cast->arg))
        return OK;
    TRY(scope_column(l, env, cast->arg->column_ref, &col));
    if (col->type == oid && col->typmod == -1)
        *ret = col;
    return OK;
}

Err expression_plain(Look *l, const Env *env, const PgQuery__Node *node, const Col **ret)
{
    *ret = NULL;
    if (node == NULL)
        return OK;
    if (node_plain_column(node))
        return scope_column(l, env, node->column_ref, ret);
    if (node->node_case == PG_QUERY__NODE__NODE_A_INDIRECTION)
        return row_field(l, env, node->a_indirection, ret);
    if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        return plain_cast(l, env, node->type_cast, ret);
    return OK;
}

/* --- handlers --- */

/* "p.*" inside an expression is the whole row. */
static Err on_star_ref(Look *l, const Task *t, const PgQuery__ColumnRef *ref)
{
    Query all = { 0 };

    if (ref->n_fields < 2)
        return look_refuse(l, ref->location, "\"*\" in an expression", LIT(""));
    TRY(scope_star(l, &t->env, ref, &all));
    for (size_t i = 0; i < all.col_count; i++) {
        TRY(sink_sources(l, t->env.sink, &all.cols[i]->sources));
        if (all.cols[i]->shown.oid != 0) {
            const Source row = { { all.cols[i]->shown.oid, 0 }, HOW_DERIVED, 0 };
            Sources one = { 0 };

            TRY(source_add(l, &one, row));
            TRY(sink_sources(l, t->env.sink, &one));
        }
    }
    return OK;
}

static Err on_column(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__ColumnRef *ref = (const PgQuery__ColumnRef *)m;
    const Col *col;

    if (ref->n_fields > 0 &&
        ref->fields[ref->n_fields - 1]->node_case == PG_QUERY__NODE__NODE_A_STAR)
        return on_star_ref(l, t, ref);
    TRY(scope_column(l, &t->env, ref, &col));
    return sink_sources(l, t->env.sink, &col->sources);
}

static Err on_indirection(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__AIndirection *ind = (const PgQuery__AIndirection *)m;
    const Col *col;

    TRY(row_field(l, &t->env, ind, &col));
    if (col != NULL)
        return sink_sources(l, t->env.sink, &col->sources);
    for (size_t i = 0; i < ind->n_indirection; i++) {
        const Bytes field = node_string(ind->indirection[i]);

        if (field.len > 0)
            effect_of_field(l, field);
        else if (ind->indirection[i]->node_case == PG_QUERY__NODE__NODE_A_INDICES)
            TRY(expression_push(l, t->env, ind->indirection[i]));
    }
    return expression_push(l, t->env, ind->arg);
}

static Err on_null_test(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__NullTest *test = (const PgQuery__NullTest *)m;
    const Col *col;

    TRY(expression_plain(l, &t->env, test->arg, &col));
    return col != NULL ? sink_counted(l, t->env.sink, &col->sources)
                       : expression_push(l, t->env, test->arg);
}

static Err on_nothing(Look *l, const Task *t, const ProtobufCMessage *m)
{
    (void)l;
    (void)t;
    (void)m;
    return OK;
}

static Err on_bool(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__BoolExpr *b = (const PgQuery__BoolExpr *)m;

    for (size_t i = b->n_args; i > 0; i--)
        TRY(look_push(
            l, (Task){ .step = expression_step,
                       .node = b->args[i - 1],
                       .env = t->env,
                       .at_top = t->at_top && b->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR }));
    return OK;
}

static Err on_cast(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__TypeCast *cast = (const PgQuery__TypeCast *)m;

    TRY(effect_of_type(l, cast->type_name));
    return expression_push(l, t->env, cast->arg);
}

static Err on_type(Look *l, const Task *t, const ProtobufCMessage *m)
{
    (void)t;
    return effect_of_type(l, (const PgQuery__TypeName *)m);
}

static Err on_case(Look *l, const Task *t, const ProtobufCMessage *m)
{
    if (((const PgQuery__CaseExpr *)m)->arg != NULL)
        TRY(effect_of_operator_named(l, LIT("=")));
    return expression_children(l, t->env, m);
}

static Err on_sort(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__SortBy *sort = (const PgQuery__SortBy *)m;

    if (sort->n_use_op > 0)
        TRY(effect_of_operator(l, sort->use_op, sort->n_use_op));
    return expression_push(l, t->env, sort->node);
}

static Err on_multi_assign(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__MultiAssignRef *multi = (const PgQuery__MultiAssignRef *)m;

    /* Each name of "(a, b) = source" has its own copy of the source. */
    return multi->colno > 1 ? OK : expression_push(l, t->env, multi->source);
}

static Err on_unknown(Look *l, const Task *t, const ProtobufCMessage *m)
{
    look_effect(l, EFFECT_OPAQUE | EFFECT_WRITE);
    return expression_children(l, t->env, m);
}

/* --- operators --- */

/* `list` of a comparison with =: all literals or parameters? */
static bool all_values(Look *l, PgQuery__Node *const *list, size_t count)
{
    ValueUse v;

    for (size_t i = 0; i < count; i++)
        if (!node_value(l, list[i], &v))
            return false;
    return count > 0;
}

static Err equals_values(Look *l, const Task *t, const Col *col, PgQuery__Node *const *list,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ValueUse v = { .kind = USE_EQUALS_VALUE };

        if (!node_value(l, list[i], &v))
            continue;
        for (size_t k = 0; k < col->sources.count; k++) {
            v.column = col->sources.list[k].column;
            if (col->sources.list[k].how == HOW_DIRECT)
                TRY(value_add(l, v));
        }
    }
    TRY(expression_push_all(l, t->env, list, count)); /* their casts */
    return sink_equals(l, t->env.sink, &col->sources);
}

/* The values of "= v", "IN (v, …)", "= ANY (ARRAY[v, …])", "= ANY ($1)". */
static PgQuery__Node *const *value_list(const PgQuery__AExpr *e, size_t *ret_count)
{
    PgQuery__Node *const *right = &e->rexpr;

    *ret_count = 1;
    if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP)
        return right;
    if (e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN &&
        e->rexpr->node_case == PG_QUERY__NODE__NODE_LIST) {
        *ret_count = e->rexpr->list->n_items;
        return e->rexpr->list->items;
    }
    if (e->kind != PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY)
        return NULL;
    const PgQuery__Node *node = e->rexpr;

    if (node->node_case == PG_QUERY__NODE__NODE_TYPE_CAST && node->type_cast->arg != NULL)
        node = node->type_cast->arg;
    if (node->node_case == PG_QUERY__NODE__NODE_PARAM_REF)
        return right;
    if (node->node_case != PG_QUERY__NODE__NODE_A_ARRAY_EXPR)
        return NULL;
    *ret_count = node->a_array_expr->n_elements;
    return node->a_array_expr->elements;
}

static Err top_equality(Look *l, const Task *t, const PgQuery__AExpr *e, bool *ret_done)
{
    size_t count = 0;
    const Col *col = NULL;

    *ret_done = false;
    if (!t->at_top || e->lexpr == NULL || e->rexpr == NULL || e->n_name == 0 ||
        !text_eq(node_string(e->name[e->n_name - 1]), LIT("=")))
        return OK;
    PgQuery__Node *const *list = value_list(e, &count);
    const bool forward = list != NULL && node_plain_column(e->lexpr) && all_values(l, list, count);
    const bool backward = e->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP &&
                          node_plain_column(e->rexpr) && all_values(l, &e->lexpr, 1);

    if (!forward && !backward)
        return OK;
    TRY(scope_column(l, &t->env, (forward ? e->lexpr : e->rexpr)->column_ref, &col));
    *ret_done = true;
    if (forward && e->rexpr->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        TRY(effect_of_type(l, e->rexpr->type_cast->type_name));
    return equals_values(l, t, col, forward ? list : &e->lexpr, forward ? count : 1);
}

static Err between_operators(Look *l)
{
    TRY(effect_of_operator_named(l, LIT("<=")));
    TRY(effect_of_operator_named(l, LIT(">=")));
    TRY(effect_of_operator_named(l, LIT("<")));
    return effect_of_operator_named(l, LIT(">"));
}

static Err on_operator(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__AExpr *e = (const PgQuery__AExpr *)m;
    const bool between = e->kind >= PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN;
    bool done;

    TRY(between ? between_operators(l) : effect_of_operator(l, e->name, e->n_name));
    TRY(top_equality(l, t, e, &done));
    if (done)
        return OK;
    TRY(expression_push(l, t->env, e->rexpr));
    return expression_push(l, t->env, e->lexpr);
}

/* --- calls --- */

static Err call_arguments(Look *l, const Task *t, const PgQuery__FuncCall *call, Env decides)
{
    const bool count = call->n_args == 1 && !call->agg_within_group &&
                       effect_is_built_in(l, call->funcname, call->n_funcname, LIT("count"));
    const Col *col = NULL;

    if (count)
        TRY(expression_plain(l, &t->env, call->args[0], &col));
    if (col != NULL && call->agg_distinct)
        return sink_sources(l, decides.sink, &col->sources);
    if (col != NULL)
        return sink_counted(l, t->env.sink, &col->sources);
    return expression_push_all(l, t->env, call->args, call->n_args);
}

static Err on_call(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__FuncCall *call = (const PgQuery__FuncCall *)m;
    Env decides = t->env;
    Sink *predicate;

    TRY(effect_of_call(l, call));
    TRY(sink_new(l, SINK_PREDICATE, NULL, t->env.query, &predicate));
    decides.sink = predicate;
    TRY(expression_push(l, decides, call->over));
    TRY(expression_push(l, decides, call->agg_filter));
    /* percentile_disc(…) WITHIN GROUP (ORDER BY x) gives back an x. */
    TRY(expression_push_all(l, call->agg_within_group ? t->env : decides, call->agg_order,
                            call->n_agg_order));
    return call_arguments(l, t, call, decides);
}

/* --- sub-queries --- */

static Err end_sub_query(Look *l, const Task *t)
{
    const PgQuery__SubLink *link = t->node;
    Query *q = t->state;
    Sink *predicate;

    TRY(query_settle(l, q));
    if (link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK) {
        for (size_t i = 0; i < q->col_count; i++)
            TRY(sink_sources(l, t->env.sink, &q->cols[i]->sources));
        return OK;
    }
    TRY(sink_new(l, SINK_PREDICATE, NULL, q, &predicate));
    for (size_t i = 0; i < q->col_count; i++)
        if (!q->cols[i]->starred)
            TRY(sink_sources(l, predicate, &q->cols[i]->sources));
    return OK;
}

static Err on_sub_query(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const PgQuery__SubLink *link = (const PgQuery__SubLink *)m;
    Query *q;

    if (link->n_oper_name > 0)
        TRY(effect_of_operator(l, link->oper_name, link->n_oper_name));
    else if (link->testexpr != NULL)
        TRY(effect_of_operator_named(l, LIT("=")));
    TRY(query_new(l, &t->env, &q));
    q->derive_into = t->env.sink;
    TRY(look_push(l, (Task){ .step = end_sub_query, .node = link, .env = t->env, .state = q }));
    TRY(query_push(l, q, node_inside(link->subselect)));
    return expression_push(l, t->env, link->testexpr);
}

static Err on_parts(Look *l, const Task *t, const ProtobufCMessage *m)
{
    return expression_children(l, t->env, m);
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    Handler handler;
} HANDLERS[] = {
    { &pg_query__column_ref__descriptor, on_column },
    { &pg_query__a__const__descriptor, on_nothing },
    { &pg_query__param_ref__descriptor, on_nothing },
    { &pg_query__a__expr__descriptor, on_operator },
    { &pg_query__func_call__descriptor, on_call },
    { &pg_query__type_cast__descriptor, on_cast },
    { &pg_query__type_name__descriptor, on_type },
    { &pg_query__bool_expr__descriptor, on_bool },
    { &pg_query__null_test__descriptor, on_null_test },
    { &pg_query__sub_link__descriptor, on_sub_query },
    { &pg_query__a__indirection__descriptor, on_indirection },
    { &pg_query__case_expr__descriptor, on_case },
    { &pg_query__sort_by__descriptor, on_sort },
    { &pg_query__multi_assign_ref__descriptor, on_multi_assign },
    { &pg_query__string__descriptor, on_nothing },
    { &pg_query__set_to_default__descriptor, on_nothing },
    { &pg_query__sqlvalue_function__descriptor, on_nothing },
    { &pg_query__current_of_expr__descriptor, on_nothing },
    { &pg_query__a__star__descriptor, on_nothing },
    { &pg_query__list__descriptor, on_parts },
    { &pg_query__case_when__descriptor, on_parts },
    { &pg_query__row_expr__descriptor, on_parts },
    { &pg_query__a__array_expr__descriptor, on_parts },
    { &pg_query__a__indices__descriptor, on_parts },
    { &pg_query__coalesce_expr__descriptor, on_parts },
    { &pg_query__min_max_expr__descriptor, on_parts },
    { &pg_query__xml_expr__descriptor, on_parts },
    { &pg_query__xml_serialize__descriptor, on_parts },
    { &pg_query__boolean_test__descriptor, on_parts },
    { &pg_query__grouping_func__descriptor, on_parts },
    { &pg_query__grouping_set__descriptor, on_parts },
    { &pg_query__named_arg_expr__descriptor, on_parts },
    { &pg_query__collate_clause__descriptor, on_parts },
    { &pg_query__window_def__descriptor, on_parts },
    { &pg_query__res_target__descriptor, on_parts },
};

bool expression_is_one(const ProtobufCMessage *m)
{
    for (size_t i = 0; i < COUNT_OF(HANDLERS); i++)
        if (HANDLERS[i].type == m->descriptor)
            return true;
    return false;
}

Err expression_step(Look *l, const Task *task)
{
    const ProtobufCMessage *m = node_inside(task->node);

    if (m == NULL)
        return OK;
    for (size_t i = 0; i < COUNT_OF(HANDLERS); i++)
        if (HANDLERS[i].type == m->descriptor)
            return HANDLERS[i].handler(l, task, m);
    return on_unknown(l, task, m);
}
