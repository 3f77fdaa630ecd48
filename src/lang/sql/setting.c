/* SET, RESET, SHOW and set_config(): the setting's name and, where it is a literal, its value. */
#include "lang/sql/lineage.h"

#include "base/text.h"

static bool privileged(Bytes name)
{
    return text_eq(name, LIT("role")) || text_eq(name, LIT("session_authorization"));
}

Err statement_lower(Look *l, Bytes name, Bytes *ret)
{
    void *mem;

    TRY(arena_alloc(l->out, name.len, &mem));
    uint8_t *to = mem;

    for (size_t i = 0; i < name.len; i++)
        to[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i];
    *ret = (Bytes){ to, name.len };
    return OK;
}

/* A name that is not a literal, or a second call, may be about any setting. */
Err setting_call(Look *l, const PgQuery__FuncCall *call)
{
    Statement *s = look_statement(l);
    ValueUse name = { 0 }, value = { 0 };

    l->depends_on_literals = true;
    look_effect(l, EFFECT_READ);
    if (call->n_args != 3 || !node_value(l, call->args[0], &name) || name.parameter != 0 ||
        s->name.len > 0) {
        look_effect(l, EFFECT_PRIV);
        return OK;
    }
    TRY(statement_lower(l, name.literal, &s->name));
    if (privileged(s->name))
        look_effect(l, EFFECT_PRIV);
    s->value_known = node_value(l, call->args[1], &value) && value.parameter == 0;
    if (s->value_known)
        TRY(arena_copy(l->out, value.literal, &s->value));
    value = (ValueUse){ 0 };
    s->set_local = node_value(l, call->args[2], &value) &&
                   (text_starts(value.literal, LIT("t")) || text_eq(value.literal, LIT("1")));
    return OK;
}

static Err joined(Look *l, const PgQuery__VariableSetStmt *set, Statement *s)
{
    Buf b;
    Err err = OK;

    buf_init(&b, l->text.len + 64 + 2 * set->n_args);
    s->value_known = set->n_args > 0;
    for (size_t i = 0; err == OK && i < set->n_args; i++) {
        ValueUse v = { 0 };

        s->value_known = s->value_known && node_value(l, set->args[i], &v) && v.parameter == 0;
        if (i > 0)
            err = buf_append(&b, LIT(", "));
        if (err == OK)
            err = buf_append(&b, v.literal);
    }
    if (err == OK && s->value_known)
        err = arena_copy(l->out, buf_view(&b), &s->value);
    buf_done(&b);
    return err;
}

Err setting_set(Look *l, const PgQuery__VariableSetStmt *set)
{
    Statement *s = look_statement(l);
    const bool all = set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL;
    const bool reset = all || set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET ||
                       set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT;

    l->depends_on_literals = true;
    s->kind = reset ? STATEMENT_RESET : STATEMENT_SET;
    s->set_local = set->is_local;
    TRY(statement_lower(l, all ? LIT("all") : text_of(set->name), &s->name));
    if (privileged(s->name))
        look_effect(l, EFFECT_PRIV);
    return set->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE ? joined(l, set, s) : OK;
}

Err setting_show(Look *l, const PgQuery__VariableShowStmt *show)
{
    Statement *s = look_statement(l);

    s->kind = STATEMENT_SHOW;
    TRY(statement_lower(l, text_of(show->name), &s->name));
    if (!text_eq(s->name, LIT("all")))
        return statement_output(l, s->name);
    TRY(statement_output(l, LIT("name")));
    TRY(statement_output(l, LIT("setting")));
    return statement_output(l, LIT("description"));
}
