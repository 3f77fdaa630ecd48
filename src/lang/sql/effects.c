/* Names of functions, operators and types to effects, as the session's search_path resolves
 * them. A name that anybody made outside pg_catalog and that the path reaches is opaque, also
 * where a built-in has the same: overload resolution may prefer either. */
#include "lang/sql/lineage.h"

#include "base/text.h"
#include "lang/sql/catalog_names.h"

static const char FROM_INFORMATION_SCHEMA[][32] = {
    "_pg_expandarray",        "_pg_char_max_length", "_pg_char_octet_length",
    "_pg_datetime_precision", "_pg_index_position",  "_pg_interval_type",
    "_pg_numeric_precision",  "_pg_numeric_scale",   "_pg_numeric_precision_radix",
    "_pg_truetypid",          "_pg_truetypmod",
};

static const unsigned OPAQUE = EFFECT_OPAQUE | EFFECT_WRITE;

typedef struct Name {
    Bytes schema, name; /* schema empty: found through the path */
} Name;

static Name name_of(PgQuery__Node *const *parts, size_t count)
{
    return (Name){
        .schema = count > 1 ? node_string(parts[count - 2]) : LIT(""),
        .name = count > 0 ? node_string(parts[count - 1]) : LIT(""),
    };
}

void look_effect(Look *l, unsigned effects)
{
    l->effects |= effects;
}

bool path_has(const Look *l, const SchemaName *sorted, size_t count, Bytes name)
{
    for (size_t i = 0; i < l->ctx->search_path_count; i++)
        if (!text_eq(l->ctx->search_path[i], LIT("pg_catalog")) &&
            schema_has_name(sorted, count, l->ctx->search_path[i], name))
            return true;
    return false;
}

static bool is_user_made(const Look *l, Name n, const SchemaName *sorted, size_t count)
{
    if (n.schema.len == 0)
        return path_has(l, sorted, count, n.name);
    return !text_eq(n.schema, LIT("pg_catalog"));
}

/* --- functions --- */

static bool from_information_schema(Name n)
{
    if (!text_eq(n.schema, LIT("information_schema")))
        return false;
    for (size_t i = 0; i < COUNT_OF(FROM_INFORMATION_SCHEMA); i++)
        if (text_eq(text_of(FROM_INFORMATION_SCHEMA[i]), n.name))
            return true;
    return false;
}

Err effect_of_function(Look *l, PgQuery__Node *const *name, size_t count)
{
    const Schema *s = l->ctx->schema;
    const Name n = name_of(name, count);

    if (from_information_schema(n)) {
        look_effect(l, EFFECT_READ);
        return OK;
    }
    const bool user = count > 2 || is_user_made(l, n, s->functions, s->function_count);
    const unsigned effects = user ? 0 : catalog_function_effects(n.name);

    look_effect(l, effects != 0 ? effects : OPAQUE);
    return OK;
}

void effect_of_field(Look *l, Bytes name)
{
    const Schema *s = l->ctx->schema;

    if (path_has(l, s->functions, s->function_count, name))
        look_effect(l, OPAQUE);
    else
        look_effect(l, catalog_function_effects(name));
}

bool effect_is_built_in(const Look *l, PgQuery__Node *const *name, size_t count, Bytes built_in)
{
    const Schema *s = l->ctx->schema;
    const Name n = name_of(name, count);

    return count <= 2 && text_eq(n.name, built_in) &&
           !is_user_made(l, n, s->functions, s->function_count);
}

Err effect_of_call(Look *l, const PgQuery__FuncCall *call)
{
    if (effect_is_built_in(l, call->funcname, call->n_funcname, LIT("set_config")))
        return setting_call(l, call);
    if (effect_is_built_in(l, call->funcname, call->n_funcname, LIT("current_setting")))
        l->depends_on_literals = true;
    return effect_of_function(l, call->funcname, call->n_funcname);
}

/* --- operators --- */

static void operator_effect(Look *l, Name n)
{
    const Schema *s = l->ctx->schema;

    if (is_user_made(l, n, s->operators, s->operator_count) || !catalog_operator(n.name))
        look_effect(l, OPAQUE);
}

Err effect_of_operator(Look *l, PgQuery__Node *const *name, size_t count)
{
    operator_effect(l, name_of(name, count));
    return OK;
}

Err effect_of_operator_named(Look *l, Bytes name)
{
    operator_effect(l, (Name){ LIT(""), name });
    return OK;
}

/* --- types --- */

/* The schema whose type an unqualified name means; empty: pg_catalog's or none. */
static Bytes type_schema(const Look *l, Bytes name)
{
    const Schema *s = l->ctx->schema;
    const SqlContext *ctx = l->ctx;
    bool catalog_first = true;

    for (size_t i = 0; i < ctx->search_path_count; i++)
        catalog_first = catalog_first && !text_eq(ctx->search_path[i], LIT("pg_catalog"));
    if (catalog_first && catalog_type_oid(name) != 0)
        return LIT("");
    for (size_t i = 0; i < ctx->search_path_count; i++) {
        if (text_eq(ctx->search_path[i], LIT("pg_catalog")) && catalog_type_oid(name) != 0)
            return LIT("");
        if (schema_has_name(s->types, s->type_count, ctx->search_path[i], name))
            return ctx->search_path[i];
    }
    return LIT("");
}

static Name resolved_type(const Look *l, const PgQuery__TypeName *type)
{
    Name n = name_of(type->names, type->n_names);

    if (n.schema.len == 0)
        n.schema = type_schema(l, n.name);
    else if (text_eq(n.schema, LIT("pg_catalog")))
        n.schema = LIT("");
    return n;
}

/* Input functions, domain checks and casts run when a value becomes one. */
Err effect_of_type(Look *l, const PgQuery__TypeName *type)
{
    const Schema *s = l->ctx->schema;

    if (type == NULL)
        return OK;
    const Name n = resolved_type(l, type);
    const bool known =
        n.schema.len == 0
            ? catalog_type_oid(n.name) != 0
            : schema_has_name(s->harmless_types, s->harmless_type_count, n.schema, n.name);

    if (!known || type->pct_type || type->n_names > 2)
        look_effect(l, OPAQUE);
    for (size_t i = 0; i < s->cast_target_count; i++)
        if (text_eq(s->cast_targets[i], n.name))
            look_effect(l, OPAQUE);
    return OK;
}

uint32_t effect_type_oid(const Look *l, const PgQuery__TypeName *type)
{
    if (type == NULL || type->n_typmods > 0 || type->n_array_bounds > 0 || type->setof ||
        type->pct_type || type->n_names > 2)
        return 0;
    const Name n = resolved_type(l, type);

    return n.schema.len == 0 ? catalog_type_oid(n.name) : 0;
}

bool sql_relation_is_sensitive(Bytes schema, Bytes name)
{
    if (text_eq(schema, LIT("pg_toast")))
        return true;
    if (text_starts(name, LIT("pg_stat_statements")))
        return true;
    return (text_eq(schema, LIT("pg_catalog")) || text_eq(schema, LIT("information_schema"))) &&
           catalog_relation_sensitive(name);
}
