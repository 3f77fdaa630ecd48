#include "policy/judge.h"

#include "base/checked.h"
#include "base/text.h"
#include "model/limits.h"
#include "policy/judge_parts.h"

bool touches_data(const Meaning *m)
{
    if ((m->effects & ~(unsigned)EFFECT_READ) != 0)
        return true;
    for (size_t i = 0; i < m->relation_count; i++)
        if (!schema_is_system(m->relations[i].schema))
            return true;
    return false;
}

static bool identity_refuses(const Judgement *in, Verdict *ret)
{
    if (in->identity->kind != IDENTITY_NOBODY && in->role != NULL)
        return false;
    *ret = refusal(in, CHP_3102, LIT("no-role"), NOWHERE,
                   words(in, "no role gives %.*s access to %.*s", SHOW(in->identity->name),
                         SHOW(in->resource->name)));
    ret->fault.next = LIT("ask the administrator for a role that names it");
    return true;
}

static bool has_nameless_statement(const Meaning *m, uint32_t *ret_at)
{
    for (size_t i = 0; i < m->statement_count; i++)
        if (m->statements[i].kind == STATEMENT_OTHER && m->statements[i].effects == 0) {
            *ret_at = m->statements[i].start;
            return true;
        }
    return false;
}

static bool understanding_refuses(const Judgement *in, Verdict *ret)
{
    const Meaning *m = in->meaning;
    const Bytes rule = LIT("understood");
    uint32_t at;

    /* First: whatever else was not understood may follow from it. */
    if (m->unknown_count > 0) {
        const SchemaName *name = &m->unknown[0];
        const char *dot = name->schema.len > 0 ? "." : "";

        *ret = refusal(in, CHP_3103, rule, m->unknown_position,
                       words(in, "%.*s%s%.*s is not in the catalogue as the gateway knows it",
                             SHOW(name->schema), dot, SHOW(name->name)));
        ret->fault.next = LIT("check the name; if it was just made, commit and try again");
        return true;
    }
    if (!m->understood) {
        *ret = refusal(in, CHP_3103, rule, m->why_not_position,
                       words(in, "statement not understood: %s",
                             m->why_not != NULL ? m->why_not : "no reason was given"));
        return true;
    }
    if (!has_nameless_statement(m, &at))
        return false;
    *ret =
        refusal(in, CHP_3103, rule, at, LIT("this kind of statement is not known to the gateway"));
    return true;
}

/* Its rows change the protocol: only alone in its message can they be told from others. */
static bool copy_refuses(const Judgement *in, const Statement *s, Verdict *ret)
{
    const char *kind = statement_kind_name(s->kind);
    const Bytes rule = LIT("supported");

    if (s->copy == NULL) {
        *ret = refusal(in, CHP_5501, rule, s->start,
                       words(in, "%s a file or program of the server is not supported", kind));
        ret->fault.next = s->kind == STATEMENT_COPY_TO ? LIT("use COPY … TO STDOUT")
                                                       : LIT("use COPY … FROM STDIN");
        return true;
    }
    if (in->meaning->statement_count == 1)
        return false;
    *ret = refusal(in, CHP_5501, rule, s->start,
                   words(in, "%s has to be the one statement of its message", kind));
    return true;
}

static bool support_refuses(const Judgement *in, Verdict *ret)
{
    const Bytes rule = LIT("supported");

    for (size_t i = 0; i < in->meaning->statement_count; i++) {
        const Statement *s = &in->meaning->statements[i];

        if ((s->kind == STATEMENT_COPY_TO || s->kind == STATEMENT_COPY_FROM) &&
            copy_refuses(in, s, ret))
            return true;
        if ((s->effects & EFFECT_REPL) != 0) {
            *ret = refusal(in, CHP_5501, rule, s->start,
                           LIT("replication is not supported through the gateway"));
            ret->fault.next = LIT("connect to the server itself");
            return true;
        }
    }
    return false;
}

static bool purpose_refuses(const Judgement *in, Verdict *ret)
{
    if (!in->role->purpose_required || in->purpose_set || !touches_data(in->meaning))
        return false;
    *ret = refusal(
        in, CHP_3401, in->role->name, NOWHERE,
        words(in, "role %.*s needs a purpose of use before it touches data", SHOW(in->role->name)));
    return true;
}

static bool labels_fit(const Labels *wanted, const Labels *have)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!labels_have(have, wanted->at[i].key, wanted->at[i].value))
            return false;
    return true;
}

static unsigned counted_effects(const Statement *s)
{
    /* PREPARE runs nothing: the unit that a person answers for is its EXECUTE. */
    if (s->kind == STATEMENT_PREPARE)
        return 0;
    return s->effects | ((s->effects & EFFECT_OPAQUE) != 0 ? (unsigned)EFFECT_WRITE : 0);
}

static bool has_table(const Judgement *in, const NamePatterns *tables, size_t statement)
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

/* The first statement that the rule is about; statement_count: none. */
static size_t asked_about(const Judgement *in, const ApprovalWhen *when)
{
    const size_t none = in->meaning->statement_count;

    if (!labels_fit(&when->labels, &in->resource->labels))
        return none;
    if (when->resources.count > 0 && !names_cover(&when->resources, in->resource->name))
        return none;
    for (size_t i = 0; i < none; i++) {
        const unsigned effects = counted_effects(&in->meaning->statements[i]);
        const unsigned wanted = when->effects != 0 ? when->effects : ~0u;

        if ((effects & wanted) == 0)
            continue;
        /* Code that we cannot see into may touch any table. */
        if ((effects & EFFECT_OPAQUE) != 0 || has_table(in, &when->tables, i))
            return i;
    }
    return none;
}

static bool takes_ticket(const Approval *rule, IdentityKind kind)
{
    return rule->wait == WAIT_TICKET ||
           (rule->wait == WAIT_HOLD_THEN_TICKET && kind != IDENTITY_HUMAN);
}

static bool is_too_long_to_read(const Command *command)
{
    size_t total = command->text.len;

    for (size_t i = 0; i < command->value_count; i++)
        if (size_add(total, command->values[i].bytes.len, &total) != OK)
            return true;
    return total > LIMIT_HELD_TEXT;
}

static Verdict hold(const Judgement *in, size_t index, size_t statement)
{
    const Approval *rule = &in->policy->approvals.at[index];
    const uint32_t at = in->meaning->statements[statement].start;
    const Bytes fact = words_statement(in, statement, false);

    if (in->approvers_exist != NULL && !in->approvers_exist[index]) {
        Verdict v = refusal(in, CHP_3101, rule->name, at,
                            words(in, "%.*s needs an approval that nobody in %.*s could give",
                                  SHOW(fact), SHOW(rule->ask.group)));
        v.fault.next = LIT("tell the administrator");
        return v;
    }
    if (is_too_long_to_read(in->command)) {
        Verdict v = refusal(in, CHP_3202, rule->name, at,
                            words(in,
                                  "%.*s needs approval, and is longer than the %d KiB that a "
                                  "person is asked to read",
                                  SHOW(fact), LIMIT_HELD_TEXT / 1024));
        v.fault.next = LIT("send it in smaller statements");
        return v;
    }
    Verdict v = refusal(in, CHP_3201, rule->name, at, fact);
    v.ruling = RULING_HOLD;
    v.hold = (HoldTerms){
        .group = rule->ask.group,
        .count = (uint32_t)rule->ask.count,
        .hold_ms = rule->hold_ms > 0 ? rule->hold_ms : in->policy->hold_default_ms,
        .valid_ms = rule->grant.valid_ms,
        .ticket = takes_ticket(rule, in->identity->kind),
        .ticket_after_ms = rule->wait == WAIT_TICKET ? 0 : rule->ticket_after_ms,
    };
    return v;
}

static Verdict allow(const Judgement *in)
{
    return (Verdict){ .ruling = RULING_ALLOW, .rule = in->role->name };
}

/* Last step: ask a person, or go. Parse runs nothing and Execute again was answered: neither
 * waits. */
static Verdict ask_or_allow(const Judgement *in)
{
    const CommandKind kind = in->command->kind;
    ColumnRef column;

    if (in->approved || kind == COMMAND_PREPARE || kind == COMMAND_RESUME)
        return allow(in);
    if (!touches_data(in->meaning))
        return allow(in);
    for (size_t i = 0; i < in->policy->approvals.count; i++) {
        const size_t statement = asked_about(in, &in->policy->approvals.at[i].when);

        if (statement < in->meaning->statement_count)
            return hold(in, i, statement);
    }
    if (!columns_want_hold(in, &column))
        return allow(in);
    Verdict v = refusal(in, CHP_3112, in->role->name, NOWHERE,
                        words(in, "writing %.*s needs an approval, and no approval rule covers it",
                              SHOW(words_column(in, column))));
    v.fault.next = LIT("leave the column out of the statement");
    return v;
}

static bool is_complete(const Judgement *in)
{
    return in->policy != NULL && in->identity != NULL && in->resource != NULL &&
           in->command != NULL && in->meaning != NULL && in->schema != NULL && in->arena != NULL;
}

Verdict policy_judge(const Judgement *in)
{
    static const struct {
        EvaluationStep step;
        JudgeStep refuses;
    } STEPS[] = {
        { EVALUATION_IDENTITY, identity_refuses },
        { EVALUATION_UNDERSTOOD, understanding_refuses },
        { EVALUATION_ACCESS, access_refuses },
        { EVALUATION_SUPPORTED, support_refuses },
        { EVALUATION_GUARDRAIL, guardrail_refuses },
        { EVALUATION_SETTING, setting_refuses },
        { EVALUATION_COLUMN, column_refuses },
        { EVALUATION_VALUE, value_refuses },
        { EVALUATION_PURPOSE, purpose_refuses },
    };
    Verdict v;

    if (!is_complete(in))
        return (Verdict){ .ruling = RULING_DENY,
                          .rule = LIT("understood"),
                          .fault = { .code = CHP_3103, .rule = LIT("understood") },
                          .step = EVALUATION_UNDERSTOOD };
    for (size_t i = 0; i < COUNT_OF(STEPS); i++) {
        if (!STEPS[i].refuses(in, &v))
            continue;
        v.step = STEPS[i].step;
        return v;
    }
    v = ask_or_allow(in);
    v.step = v.ruling == RULING_ALLOW ? EVALUATION_RUN : EVALUATION_APPROVAL;
    return v;
}
