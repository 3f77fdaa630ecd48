/* FigureColname() of PostgreSQL 15: what an output without AS is called. */
#include "lang/sql/lineage.h"

#include "base/text.h"

static Bytes last_string(PgQuery__Node *const *list, size_t count)
{
    for (size_t i = count; i > 0; i--)
        if (node_string(list[i - 1]).len > 0)
            return node_string(list[i - 1]);
    return LIT("");
}

static Bytes value_function_name(const PgQuery__SQLValueFunction *f)
{
    static const char *const NAMES[] = {
        "",
        "",
        "current_date",
        "current_time",
        "current_time",
        "current_timestamp",
        "current_timestamp",
        "localtime",
        "localtime",
        "localtimestamp",
        "localtimestamp",
        "current_role",
        "current_user",
        "user",
        "session_user",
        "current_catalog",
        "current_schema",
    };
    const size_t at = (size_t)f->op + 1;

    return text_of(f->op >= 1 && at < COUNT_OF(NAMES) ? NAMES[at] : "");
}

static Bytes sub_query_name(const PgQuery__SubLink *link, const PgQuery__Node **ret_next)
{
    if (link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK)
        return LIT("exists");
    if (link->sub_link_type == PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK)
        return LIT("array");
    const PgQuery__SelectStmt *s =
        link->subselect != NULL && link->subselect->node_case == PG_QUERY__NODE__NODE_SELECT_STMT
            ? link->subselect->select_stmt
            : NULL;

    if (link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK || s == NULL)
        return LIT("");
    while (s->larg != NULL)
        s = s->larg;
    if (s->n_values_lists > 0)
        return LIT("column1");
    if (s->n_target_list != 1)
        return LIT("");
    const PgQuery__ResTarget *t = s->target_list[0]->res_target;

    if (text_of(t->name).len > 0)
        return text_of(t->name);
    *ret_next = t->val;
    return LIT("");
}

static Bytes xml_name(const PgQuery__XmlExpr *x)
{
    static const char *const NAMES[] = { "",         "xmlconcat", "xmlelement", "xmlforest",
                                         "xmlparse", "xmlpi",     "xmlroot",    "xmlserialize" };

    return text_of((size_t)x->op < COUNT_OF(NAMES) ? NAMES[x->op] : "");
}

/* The name that this node gives, or the node to ask next. `ret_weak` is used if nothing better
 * comes. */
static Bytes name_at(const PgQuery__Node *n, const PgQuery__Node **ret_next, Bytes *ret_weak)
{
    *ret_next = NULL;
    switch ((int)n->node_case) {
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return last_string(n->column_ref->fields, n->column_ref->n_fields);
    case PG_QUERY__NODE__NODE_A_INDIRECTION:
        *ret_next = n->a_indirection->arg;
        return last_string(n->a_indirection->indirection, n->a_indirection->n_indirection);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return last_string(n->func_call->funcname, n->func_call->n_funcname);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return n->a_expr->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF ? LIT("nullif") : LIT("");
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        *ret_next = n->type_cast->arg;
        *ret_weak = n->type_cast->type_name != NULL ? last_string(n->type_cast->type_name->names,
                                                                  n->type_cast->type_name->n_names)
                                                    : LIT("");
        return LIT("");
    case PG_QUERY__NODE__NODE_COLLATE_CLAUSE:
        *ret_next = n->collate_clause->arg;
        return LIT("");
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        *ret_next = n->case_expr->defresult;
        *ret_weak = LIT("case");
        return LIT("");
    case PG_QUERY__NODE__NODE_SUB_LINK:
        return sub_query_name(n->sub_link, ret_next);
    case PG_QUERY__NODE__NODE_GROUPING_FUNC:
        return LIT("grouping");
    case PG_QUERY__NODE__NODE_A_ARRAY_EXPR:
        return LIT("array");
    case PG_QUERY__NODE__NODE_ROW_EXPR:
        return LIT("row");
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return LIT("coalesce");
    case PG_QUERY__NODE__NODE_MIN_MAX_EXPR:
        return n->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? LIT("greatest")
                                                                        : LIT("least");
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return value_function_name(n->sqlvalue_function);
    case PG_QUERY__NODE__NODE_XML_EXPR:
        return xml_name(n->xml_expr);
    case PG_QUERY__NODE__NODE_XML_SERIALIZE:
        return LIT("xmlserialize");
    default:
        return LIT("");
    }
}

Bytes target_name(const PgQuery__Node *node)
{
    Bytes weak = LIT(""), first_weak = LIT("");

    while (node != NULL) {
        const PgQuery__Node *next;
        const Bytes name = name_at(node, &next, &weak);

        if (name.len > 0)
            return name;
        first_weak = first_weak.len > 0 ? first_weak : weak;
        node = next;
    }
    return first_weak.len > 0 ? first_weak : LIT("?column?");
}
