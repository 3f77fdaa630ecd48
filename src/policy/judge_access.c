/* Role allow and guardrails: what is said about statements and tables as wholes. */
#include "base/text.h"
#include "policy/judge_parts.h"

static bool is_unrestricted(const Grant *g)
{
    for (size_t i = 0; i < g->tables.count; i++)
        if (g->tables.at[i].schema.len == 0 && g->tables.at[i].table.len == 0)
            return true;
    return g->tables.count == 0;
}

/* WRITE covers code we cannot see into and row locks; everything else has to be named. */
static unsigned covered(unsigned actions)
{
    return (actions & EFFECT_WRITE) != 0 ? actions | EFFECT_OPAQUE | EFFECT_LOCK : actions;
}

static unsigned granted_anywhere(const Judgement *in)
{
    unsigned actions = 0;

    for (size_t i = 0; i < in->role->allow.count; i++)
        if (names_cover(&in->role->allow.at[i].resources, in->resource->name))
            actions |= in->role->allow.at[i].actions;
    return covered(actions);
}

/* `r` NULL: what is granted without regard to tables, as needed for what touches none that we
 * can see. Reading no table, or the system's own, needs READ of something. */
static unsigned granted_on(const Judgement *in, const RelationUse *r)
{
    unsigned actions = 0;

    for (size_t i = 0; i < in->role->allow.count; i++) {
        const Grant *g = &in->role->allow.at[i];

        if (!names_cover(&g->resources, in->resource->name))
            continue;
        if (r == NULL ? is_unrestricted(g) : patterns_match_table(&g->tables, r->schema, r->name))
            actions |= g->actions;
    }
    if (r == NULL || schema_is_system(r->schema))
        actions |= granted_anywhere(in) & (unsigned)EFFECT_READ;
    return covered(actions);
}

static const char *first_effect(unsigned effects)
{
    if ((effects & EFFECT_LOB) != 0) /* more telling than the write that it counts as */
        return effect_name(EFFECT_LOB);
    const unsigned shown = (effects & ~(unsigned)EFFECT_OPAQUE) != 0
                               ? effects & ~(unsigned)EFFECT_OPAQUE
                               : (unsigned)EFFECT_WRITE;

    return effect_name(shown & ~(shown - 1));
}

static Verdict lacks(const Judgement *in, size_t statement, unsigned missing, uint32_t at)
{
    const Bytes fact = words_statement(in, statement, false);
    const Bytes role = in->role->name;

    if ((missing & ~granted_anywhere(in)) == 0)
        return refusal(in, CHP_3102, role, at,
                       words(in, "%.*s: role %.*s allows %s on other tables of %.*s only",
                             SHOW(fact), SHOW(role), first_effect(missing),
                             SHOW(in->resource->name)));
    const unsigned absent = missing & ~granted_anywhere(in);
    const bool runs_code = absent == EFFECT_OPAQUE;

    return refusal(in, CHP_3102, role, at,
                   words(in, "%.*s%s needs %s, which role %.*s does not allow on %.*s", SHOW(fact),
                         runs_code ? " runs code the gateway cannot see into and" : "",
                         first_effect(absent), SHOW(role), SHOW(in->resource->name)));
}

bool access_refuses(const Judgement *in, Verdict *ret)
{
    const Meaning *m = in->meaning;
    unsigned seen = 0;

    for (size_t i = 0; i < m->relation_count; i++) {
        const unsigned missing = m->relations[i].effects & ~granted_on(in, &m->relations[i]);

        if (missing != 0) {
            *ret = lacks(in, m->relations[i].statement, missing, m->relations[i].position);
            return true;
        }
    }
    for (size_t i = 0; i < m->statement_count; i++) {
        unsigned on_relations = 0;

        for (size_t k = 0; k < m->relation_count; k++)
            on_relations |= m->relations[k].statement == i ? m->relations[k].effects : 0;
        const unsigned missing = m->statements[i].effects & ~on_relations & ~granted_on(in, NULL);

        seen |= m->statements[i].effects;
        if (missing != 0) {
            *ret = lacks(in, i, missing, m->statements[i].start);
            return true;
        }
    }
    /* Effects of the whole that no statement owns up to. */
    const unsigned missing = m->effects & ~seen & ~granted_on(in, NULL);

    if (missing != 0)
        *ret = lacks(in, m->statement_count, missing, NOWHERE);
    return missing != 0;
}

static bool where_fits(WhereClause wanted, const Statement *s)
{
    const bool may_have = s->kind == STATEMENT_UPDATE || s->kind == STATEMENT_DELETE;

    switch (wanted) {
    case WHERE_EITHER:
        return true;
    case WHERE_ABSENT:
        return may_have && !s->has_where;
    case WHERE_PRESENT:
        return may_have && s->has_where;
    }
    return true; /* unknown: the guardrail speaks */
}

static bool tables_fit(const Judgement *in, const NamePatterns *tables, size_t statement)
{
    if (tables->count == 0)
        return true;
    for (size_t i = 0; i < in->meaning->relation_count; i++) {
        const RelationUse *r = &in->meaning->relations[i];

        if (r->statement == statement && patterns_match_table(tables, r->schema, r->name))
            return true;
    }
    return false;
}

static bool guardrail_fits(const Judgement *in, const GuardrailMatch *match, size_t statement)
{
    const Statement *s = &in->meaning->statements[statement];

    if (match->statements != 0 && (match->statements & (uint64_t)1 << s->kind) == 0)
        return false;
    if (match->effects != 0 && (match->effects & s->effects) == 0)
        return false;
    return where_fits(match->where, s) && tables_fit(in, &match->tables, statement);
}

static Verdict blocked(const Judgement *in, const Guardrail *g, size_t statement)
{
    const bool say_where = g->match.where != WHERE_EITHER;
    Verdict v = refusal(in, CHP_3101, g->name, in->meaning->statements[statement].start,
                        words_statement(in, statement, say_where));

    if (g->suggest == SUGGEST_ADD_WHERE) {
        v.fault.next = LIT("add a WHERE clause; the same statement will be refused again");
        v.fault.detail = g->message;
    } else if (g->message.len > 0) {
        v.fault.next = words(in, "%.*s", SHOW(g->message));
    }
    return v;
}

bool guardrail_refuses(const Judgement *in, Verdict *ret)
{
    for (size_t i = 0; i < in->policy->guardrails.count; i++) {
        const Guardrail *g = &in->policy->guardrails.at[i];

        if (g->resources.count > 0 && !names_cover(&g->resources, in->resource->name))
            continue;
        for (size_t k = 0; k < in->meaning->statement_count; k++)
            if (guardrail_fits(in, &g->match, k)) {
                *ret = blocked(in, g, k);
                return true;
            }
    }
    return false;
}
