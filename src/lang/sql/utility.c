/* All other statements: effects by a table; the queries, expressions and relations inside them
 * by a walk over whatever is there. A statement that the table does not have is opaque. */
#include "lang/sql/lineage.h"

#include "base/text.h"

enum {
    WRITE = EFFECT_WRITE,
    DDL = EFFECT_DDL,
    PRIV = EFFECT_PRIV,
    ADMIN = EFFECT_ADMIN,
    FILES = EFFECT_FILE,
    NET = EFFECT_NET,
    OPAQUE = EFFECT_OPAQUE | EFFECT_WRITE,
    MSG = EFFECT_MSG,
};

struct Utility {
    const ProtobufCMessageDescriptor *type;
    unsigned effects;   /* of the statement */
    unsigned relations; /* of each relation that it names */
    StatementKind kind;
    bool closed; /* nothing inside is looked at: the effects say all */
};

#define NODE(name) &pg_query__##name##__descriptor

static const Utility UTILITIES[] = {
    { NODE(truncate_stmt), WRITE, WRITE, STATEMENT_TRUNCATE, false },
    { NODE(lock_stmt), EFFECT_LOCK, EFFECT_LOCK, STATEMENT_OTHER, false },
    { NODE(notify_stmt), MSG, 0, STATEMENT_LISTEN, false },
    { NODE(listen_stmt), MSG, 0, STATEMENT_LISTEN, false },
    { NODE(unlisten_stmt), 0, 0, STATEMENT_LISTEN, false },
    { NODE(constraints_set_stmt), 0, 0, STATEMENT_OTHER, true },
    { NODE(call_stmt), OPAQUE, 0, STATEMENT_CALL, false },
    { NODE(do_stmt), OPAQUE, 0, STATEMENT_DO, true },
    { NODE(refresh_mat_view_stmt), WRITE | DDL | EFFECT_READ, WRITE, STATEMENT_OTHER, false },

    { NODE(vacuum_stmt), ADMIN, ADMIN, STATEMENT_OTHER, true },
    { NODE(cluster_stmt), ADMIN, DDL, STATEMENT_OTHER, false },
    { NODE(reindex_stmt), ADMIN, DDL, STATEMENT_OTHER, false },
    { NODE(check_point_stmt), ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(alter_system_stmt), ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(load_stmt), ADMIN | FILES | OPAQUE, 0, STATEMENT_OTHER, true },
    { NODE(createdb_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(dropdb_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(alter_database_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(alter_database_set_stmt), DDL | ADMIN | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_database_refresh_coll_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(create_table_space_stmt), DDL | ADMIN | FILES, 0, STATEMENT_OTHER, true },
    { NODE(drop_table_space_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(alter_table_space_options_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(alter_table_move_all_stmt), DDL | ADMIN, 0, STATEMENT_OTHER, true },

    { NODE(grant_stmt), PRIV, DDL, STATEMENT_OTHER, false },
    { NODE(grant_role_stmt), PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_default_privileges_stmt), PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_role_stmt), PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_role_stmt), PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_role_set_stmt), PRIV, 0, STATEMENT_OTHER, true },
    { NODE(drop_role_stmt), PRIV, 0, STATEMENT_OTHER, true },
    { NODE(sec_label_stmt), PRIV | DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_owner_stmt), PRIV | DDL, DDL, STATEMENT_OTHER, false },
    { NODE(drop_owned_stmt), PRIV | DDL, 0, STATEMENT_OTHER, true },
    { NODE(reassign_owned_stmt), PRIV | DDL, 0, STATEMENT_OTHER, true },
    { NODE(create_policy_stmt), PRIV | DDL, DDL, STATEMENT_OTHER, false },
    { NODE(alter_policy_stmt), PRIV | DDL, DDL, STATEMENT_OTHER, false },

    { NODE(create_fdw_stmt), NET | DDL | PRIV | OPAQUE, 0, STATEMENT_OTHER, true },
    { NODE(alter_fdw_stmt), NET | DDL | PRIV | OPAQUE, 0, STATEMENT_OTHER, true },
    { NODE(create_foreign_server_stmt), NET | DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_foreign_server_stmt), NET | DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_user_mapping_stmt), NET | DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_user_mapping_stmt), NET | DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(drop_user_mapping_stmt), NET | DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_foreign_table_stmt), NET | DDL | PRIV, DDL, STATEMENT_OTHER, false },
    { NODE(import_foreign_schema_stmt), NET | DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_subscription_stmt), NET | DDL | PRIV | EFFECT_REPL, 0, STATEMENT_OTHER, true },
    { NODE(alter_subscription_stmt), NET | DDL | PRIV | EFFECT_REPL, 0, STATEMENT_OTHER, true },
    { NODE(drop_subscription_stmt), NET | DDL | PRIV | EFFECT_REPL, 0, STATEMENT_OTHER, true },
    { NODE(create_publication_stmt), DDL | PRIV | EFFECT_REPL, DDL, STATEMENT_OTHER, false },
    { NODE(alter_publication_stmt), DDL | PRIV | EFFECT_REPL, DDL, STATEMENT_OTHER, false },

    { NODE(create_extension_stmt), DDL | PRIV | OPAQUE, 0, STATEMENT_OTHER, true },
    { NODE(alter_extension_stmt), DDL | PRIV | OPAQUE, 0, STATEMENT_OTHER, true },
    { NODE(alter_extension_contents_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_plang_stmt), DDL | PRIV | OPAQUE, 0, STATEMENT_OTHER, true },
    { NODE(create_event_trig_stmt), DDL | PRIV | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(alter_event_trig_stmt), DDL | PRIV | ADMIN, 0, STATEMENT_OTHER, true },
    { NODE(create_transform_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_am_stmt), DDL | PRIV | OPAQUE, 0, STATEMENT_OTHER, true },

    { NODE(create_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(alter_table_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(index_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(create_stats_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(alter_stats_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(rule_stmt), DDL | PRIV, DDL, STATEMENT_OTHER, false },
    { NODE(create_trig_stmt), DDL | PRIV, DDL, STATEMENT_OTHER, false },
    { NODE(create_schema_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(drop_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(rename_stmt), DDL, DDL, STATEMENT_OTHER, false },
    { NODE(comment_stmt), DDL, DDL, STATEMENT_OTHER, true },
    { NODE(create_seq_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_seq_stmt), DDL | WRITE, DDL, STATEMENT_OTHER, true },
    { NODE(define_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(create_function_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_function_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_domain_stmt), DDL, 0, STATEMENT_OTHER, false },
    { NODE(alter_domain_stmt), DDL, 0, STATEMENT_OTHER, false },
    { NODE(create_cast_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_conversion_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_op_class_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(create_op_family_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_op_family_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_operator_stmt), DDL | PRIV, 0, STATEMENT_OTHER, true },
    { NODE(alter_object_depends_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_object_schema_stmt), DDL, DDL, STATEMENT_OTHER, true },
    { NODE(alter_type_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(composite_type_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(create_enum_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_enum_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(create_range_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_tsdictionary_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_tsconfiguration_stmt), DDL, 0, STATEMENT_OTHER, true },
    { NODE(alter_collation_stmt), DDL, 0, STATEMENT_OTHER, true },
};

/* --- the walk --- */

static Err find_quietly(Look *l, const PgQuery__RangeVar *var, const SchemaRelation **ret)
{
    const size_t before = l->unknown_count;

    TRY(scope_relation(l, var, ret));
    l->unknown_count = before; /* it may be about to be made */
    return OK;
}

/* Columns of the statement's relation are there; those that it is about to add too. */
static Err add_item(Look *l, Query *q, const PgQuery__RangeVar *var, Bytes name)
{
    const SchemaRelation *r;

    TRY(find_quietly(l, var, &r));
    TRY(scope_item_relation(l, q, var, r));
    Item *item = &q->items[q->last_item];

    item->open = true;
    if (name.len > 0)
        item->alias = name;
    item->cols_visible = name.len == 0;
    return OK;
}

static Err index_element(Look *l, const Env *env, const PgQuery__IndexElem *e)
{
    const Col *col = NULL;

    if (text_of(e->name).len > 0)
        TRY(scope_local_column(l, env->query, text_of(e->name), &col));
    return col != NULL ? sink_sources(l, env->sink, &col->sources) : OK;
}

static Err end_stored_query(Look *l, const Task *t)
{
    return emit_carried(l, t->state);
}

static Err stored_query(Look *l, const Task *t, const ProtobufCMessage *m)
{
    Query *q;

    TRY(query_new(l, &t->env, &q));
    TRY(look_push(l, (Task){ .step = end_stored_query, .state = q }));
    return query_push(l, q, m);
}

static bool is_query(const ProtobufCMessage *m)
{
    return m->descriptor == NODE(select_stmt) || m->descriptor == NODE(insert_stmt) ||
           m->descriptor == NODE(update_stmt) || m->descriptor == NODE(delete_stmt);
}

static Err walk(Look *l, const Task *t);

static Err walk_children(Look *l, const Task *t, const ProtobufCMessage *m)
{
    const size_t before = l->task_count;

    TRY(expression_children(l, t->env, m));
    for (size_t i = before; i < l->task_count; i++)
        l->tasks[i].step = walk;
    return OK;
}

static unsigned nested_effects(const ProtobufCMessage *m)
{
    for (size_t i = 0; i < COUNT_OF(UTILITIES); i++)
        if (UTILITIES[i].type == m->descriptor)
            return UTILITIES[i].effects;
    return m->descriptor == NODE(view_stmt) ? (unsigned)DDL : 0;
}

static Err walk(Look *l, const Task *t)
{
    const ProtobufCMessage *m = node_inside(t->node);
    const Utility *u = l->utility;
    const SchemaRelation *r;

    if (m == NULL || m->descriptor == NODE(type_name))
        return OK;
    look_effect(l, nested_effects(m));
    if (is_query(m))
        return stored_query(l, t, m);
    if (m->descriptor == NODE(range_var)) {
        const PgQuery__RangeVar *var = (const PgQuery__RangeVar *)m;

        TRY(find_quietly(l, var, &r));
        if (r != NULL && u->relations == WRITE)
            return writing_note(l, r, var->location);
        return r != NULL ? relation_add(l, r, u->relations & ~(unsigned)EFFECT_ADMIN, var->location)
                         : OK;
    }
    if (m->descriptor == NODE(index_elem))
        TRY(index_element(l, &t->env, (const PgQuery__IndexElem *)m));
    if (m->descriptor != NODE(list) && expression_is_one(m))
        return expression_push(l, t->env, m);
    return walk_children(l, t, m);
}

/* The relation that bare column names in the statement are of. */
static const PgQuery__RangeVar *relation_of(const ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        if (f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED &&
            f->descriptor == NODE(range_var))
            return *(const PgQuery__RangeVar *const *)((const uint8_t *)m + f->offset);
    }
    return NULL;
}

static Err walk_statement(Look *l, const ProtobufCMessage *node)
{
    const PgQuery__RangeVar *var = relation_of(node);
    const bool rows =
        node->descriptor == NODE(rule_stmt) || node->descriptor == NODE(create_trig_stmt);
    Task task = { .step = walk };

    TRY(query_new(l, NULL, &task.env.query));
    if (var != NULL && text_of(var->relname).len > 0) {
        TRY(add_item(l, task.env.query, var, LIT("")));
        if (rows) {
            TRY(add_item(l, task.env.query, var, LIT("new")));
            TRY(add_item(l, task.env.query, var, LIT("old")));
        }
    } else {
        TRY(scope_item(l, task.env.query, (Item){ .open = true, .cols_visible = true }));
    }
    TRY(query_env(l, task.env.query, SINK_CARRIED, &task.env));
    return walk_children(l, &task, node);
}

static bool is_owner_change(const PgQuery__Node *node)
{
    switch ((int)(node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_CMD
                      ? node->alter_table_cmd->subtype
                      : 0)) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ChangeOwner:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableRowSecurity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableRowSecurity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ForceRowSecurity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_NoForceRowSecurity:
        return true;
    default:
        return false;
    }
}

/* DROP names relations by lists of strings. */
static Err dropped(Look *l, const PgQuery__DropStmt *drop)
{
    for (size_t i = 0; i < drop->n_objects; i++) {
        const PgQuery__List *parts = drop->objects[i]->node_case == PG_QUERY__NODE__NODE_LIST
                                         ? drop->objects[i]->list
                                         : NULL;
        const size_t n = parts != NULL ? parts->n_items : 0;
        PgQuery__RangeVar var;
        char *schema = n > 1 && node_string(parts->items[n - 2]).len > 0
                           ? parts->items[n - 2]->string->sval
                           : NULL;
        const SchemaRelation *r;

        if (n == 0 || node_string(parts->items[n - 1]).len == 0)
            continue;
        pg_query__range_var__init(&var);
        var.relname = parts->items[n - 1]->string->sval;
        if (schema != NULL)
            var.schemaname = schema;
        TRY(find_quietly(l, &var, &r));
        if (r != NULL)
            TRY(relation_add(l, r, DDL, 0));
    }
    return OK;
}

Err utility_push(Look *l, const ProtobufCMessage *node)
{
    static const Utility UNKNOWN = { NULL, OPAQUE, DDL, STATEMENT_OTHER, false };
    const Utility *u = &UNKNOWN;

    for (size_t i = 0; i < COUNT_OF(UTILITIES); i++)
        if (UTILITIES[i].type == node->descriptor)
            u = &UTILITIES[i];
    l->depends_on_literals = true;
    look_effect(l, u->effects);
    look_statement(l)->kind = u->kind;
    look_statement(l)->outputs_known = u->kind != STATEMENT_CALL && u != &UNKNOWN;
    if (node->descriptor == NODE(drop_stmt))
        TRY(dropped(l, (const PgQuery__DropStmt *)node));
    if (node->descriptor == NODE(alter_table_stmt)) {
        const PgQuery__AlterTableStmt *alter = (const PgQuery__AlterTableStmt *)node;

        for (size_t i = 0; i < alter->n_cmds; i++)
            if (is_owner_change(alter->cmds[i]))
                look_effect(l, EFFECT_PRIV);
    }
    l->utility = u;
    return u->closed ? OK : walk_statement(l, node);
}
