/* Whom another configuration touches, and which sessions it ends: by the same functions of policy
 * and config that the gateway asks at a reload. */
#include "cli/config_diff.h"

#include "base/text.h"
#include "config/edition.h"
#include "policy/client_certificate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { EFFECT_MAX = 512, GROUPS_MAX = 256 };

/* One identity on one resource, in both configurations. */
typedef struct Pair {
    const Sides *sides;
    const Identity *who;
    const Resource *old, *new; /* NULL: it is not there */
    const Role *old_role, *new_role;
    json_t *effects;
} Pair;

static void say(Pair *p, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(Pair *p, const char *format, ...)
{
    char words[EFFECT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    (void)json_array_append_new(p->effects, json_string(words));
}

/* --- what is shown of both -------------------------------------------------------------------- */

static const json_t *item(const Side *side, const char *list, Bytes name)
{
    const json_t *items = json_object_get(side->shown, list);

    if (json_is_object(items)) /* masking: {profiles: […]} */
        items = json_object_get(items, "profiles");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *at = json_array_get(items, i);

        if (text_eq(text_of(json_string_value(json_object_get(at, "name"))), name))
            return at;
    }
    return NULL;
}

static bool same_item(const Sides *s, const char *list, Bytes old, Bytes new)
{
    const json_t *a = item(s->old, list, old), *b = item(s->new, list, new);

    return (a == NULL && b == NULL) || (a != NULL && b != NULL && json_equal(a, b));
}

static bool same_member(const Pair *p, const char *key)
{
    return json_equal(json_object_get(item(p->sides->old, "roles", p->old_role->name), key),
                      json_object_get(item(p->sides->new, "roles", p->new_role->name), key));
}

/* --- rules ------------------------------------------------------------------------------------ */

static bool guards(const Guardrail *g, const Resource *r)
{
    return g->resources.count == 0 || names_cover(&g->resources, r->name);
}

static bool asks(const Approval *a, const Resource *r)
{
    const ApprovalWhen *when = &a->when;

    for (size_t i = 0; i < when->labels.count; i++)
        if (!labels_have(&r->labels, when->labels.at[i].key, when->labels.at[i].value))
            return false;
    return when->resources.count == 0 || names_cover(&when->resources, r->name);
}

static const Guardrail *guardrail(const Policy *p, Bytes name, const Resource *r)
{
    for (size_t i = 0; i < p->guardrails.count; i++)
        if (text_eq(p->guardrails.at[i].name, name) && guards(&p->guardrails.at[i], r))
            return &p->guardrails.at[i];
    return NULL;
}

static const Approval *approval(const Policy *p, Bytes name, const Resource *r)
{
    for (size_t i = 0; i < p->approvals.count; i++)
        if (text_eq(p->approvals.at[i].name, name) && asks(&p->approvals.at[i], r))
            return &p->approvals.at[i];
    return NULL;
}

static void guardrails_of(Pair *p)
{
    const Policy *old = &p->sides->old->config.policy, *new = &p->sides->new->config.policy;

    for (size_t i = 0; i < old->guardrails.count; i++) {
        const Bytes name = old->guardrails.at[i].name;

        if (!guards(&old->guardrails.at[i], p->old))
            continue;
        if (guardrail(new, name, p->new) == NULL)
            say(p, "guardrail %.*s is gone: what it refused is not refused by it any more",
                SHOW(name));
        else if (!same_item(p->sides, "guardrails", name, name))
            say(p, "guardrail %.*s refuses other statements", SHOW(name));
    }
    for (size_t i = 0; i < new->guardrails.count; i++) {
        const Bytes name = new->guardrails.at[i].name;

        if (guards(&new->guardrails.at[i], p->new) && guardrail(old, name, p->old) == NULL)
            say(p, "guardrail %.*s is new: refuses what it matches", SHOW(name));
    }
}

static void approvals_of(Pair *p)
{
    const Policy *old = &p->sides->old->config.policy, *new = &p->sides->new->config.policy;

    for (size_t i = 0; i < old->approvals.count; i++) {
        const Bytes name = old->approvals.at[i].name;

        if (!asks(&old->approvals.at[i], p->old))
            continue;
        if (approval(new, name, p->new) == NULL)
            say(p, "approval %.*s is gone: what it held is held by it no more", SHOW(name));
        else if (!same_item(p->sides, "approvals", name, name))
            say(p, "approval %.*s holds other statements, or asks others", SHOW(name));
    }
    for (size_t i = 0; i < new->approvals.count; i++) {
        const Approval *a = &new->approvals.at[i];

        if (asks(a, p->new) && approval(old, a->name, p->old) == NULL)
            say(p, "approval %.*s is new: what it matches is held for %.*s", SHOW(a->name),
                SHOW(a->ask.group));
    }
}

/* --- one pair --------------------------------------------------------------------------------- */

static const char *why_cut(const Pair *p)
{
    if (p->old == NULL || p->new == NULL || !edition_same_target(p->old, p->new))
        return "this resource is not the same any more";
    if (p->old_role == NULL || p->new_role == NULL ||
        !text_eq(p->old_role->name, p->new_role->name))
        return "the role of this session is gone";
    return NULL;
}

static bool needs_certificate(const Side *side, const Identity *who)
{
    const ServerTls *tls = &side->config.gateway.tls;

    return tls->client_ca.len > 0 && !client_certificate_exempt(&tls->client_exempt, who);
}

static void role_of(Pair *p)
{
    static const struct {
        const char *key, *words;
    } MEMBERS[] = {
        { "allow", "may do something else (allow)" },
        { "predicates", "protected columns in conditions (predicates)" },
        { "purpose_required", "purpose of use (purpose_required)" },
        { "writes", "writing masked columns (writes)" },
    };

    if (!text_eq(p->old_role->name, p->new_role->name))
        say(p, "role %.*s becomes %.*s", SHOW(p->old_role->name), SHOW(p->new_role->name));
    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++)
        if (!same_member(p, MEMBERS[i].key))
            say(p, "role %.*s: %s", SHOW(p->new_role->name), MEMBERS[i].words);
    if (!same_item(p->sides, "masking", p->old_role->masking, p->new_role->masking))
        say(p, "columns leave otherwise: masking %.*s", SHOW(p->new_role->masking));
}

static void access_of(Pair *p)
{
    const RecordingBudget *old = &p->sides->old->config.recording.budget,
                          *new = &p->sides->new->config.recording.budget;

    if (p->old_role == NULL && p->new_role == NULL)
        return;
    if (p->new_role == NULL) {
        say(p, "loses access: was %.*s", SHOW(p->old_role->name));
        return;
    }
    if (p->old_role == NULL) {
        say(p, "gains access: as %.*s", SHOW(p->new_role->name));
        return;
    }
    role_of(p);
    guardrails_of(p);
    approvals_of(p);
    if (resource_is_phi(p->old) != resource_is_phi(p->new))
        say(p, "resource %s PHI: what no rule names is %s",
            resource_is_phi(p->new) ? "is" : "is no",
            resource_is_phi(p->new) ? "masked" : "not masked any more");
    if (old->hour != new->hour || old->day != new->day)
        say(p, "budget: %llu bytes an hour and %llu a day become %llu and %llu",
            (unsigned long long)old->hour, (unsigned long long)old->day,
            (unsigned long long)new->hour, (unsigned long long)new->day);
    if (!edition_same_target(p->old, p->new))
        say(p, "another target, or another way to it");
}

static void standing_of(Pair *p)
{
    const Side *old = p->sides->old, *new = p->sides->new;
    const bool watched = p->old != NULL && policy_may_review(&old->config.policy, p->who, p->old);
    const bool watches = p->new != NULL &&policy_may_review(&new->config.policy, p->who, p->new);

    if (watched != watches)
        say(p, "may watch sessions of others: %s", watches ? "now" : "no more");
    if (p->old_role == NULL && p->new_role == NULL)
        return;
    if (needs_certificate(old, p->who) != needs_certificate(new, p->who))
        say(p, "client certificate: %s",
            needs_certificate(new, p->who) ? "needed now" : "not needed any more");
}

static Pair pair_of(const Sides *s, const Identity *who, Bytes resource)
{
    const Policy *old = &s->old->config.policy, *new = &s->new->config.policy;
    Pair p = { .sides = s,
               .who = who,
               .old = policy_resource(old, resource),
               .new = policy_resource(new, resource) };

    p.old_role = p.old != NULL ? policy_role(old, who, p.old) : NULL;
    p.new_role = p.new != NULL ? policy_role(new, who, p.new) : NULL;
    return p;
}

/* --- everybody -------------------------------------------------------------------------------- */

typedef struct Person {
    Identity who;
    Bytes groups[GROUPS_MAX];
} Person;

static IdentityKind kind_of(const char *name)
{
    static const IdentityKind KINDS[] = { IDENTITY_HUMAN, IDENTITY_AGENT, IDENTITY_SERVICE };

    for (size_t i = 0; name != NULL && i < COUNT_OF(KINDS); i++)
        if (strcmp(name, identity_kind_name(KINDS[i])) == 0)
            return KINDS[i];
    return IDENTITY_NOBODY;
}

static void read_person(const json_t *row, Person *ret)
{
    const json_t *groups = json_object_get(row, "groups");

    *ret = (Person){ .who = { .kind = kind_of(json_string_value(json_object_get(row, "kind"))),
                              .name = text_of(json_string_value(json_object_get(row, "name"))) } };
    for (size_t i = 0; i < json_array_size(groups) && i < GROUPS_MAX; i++)
        ret->groups[ret->who.group_count++] = text_of(json_string_value(json_array_get(groups, i)));
    ret->who.groups = ret->groups;
}

static void add_pair(const Sides *s, const Identity *who, Bytes resource, json_t *out)
{
    Pair p = pair_of(s, who, resource);

    p.effects = json_array();
    access_of(&p);
    standing_of(&p);
    if (json_array_size(p.effects) == 0) {
        json_decref(p.effects);
        return;
    }
    (void)json_array_append_new(out, json_pack("{s:s%, s:s, s:s%, s:o}", "identity", who->name.ptr,
                                               who->name.len, "kind", identity_kind_name(who->kind),
                                               "resource", resource.ptr, resource.len, "effects",
                                               p.effects));
}

json_t *diff_people(const Sides *s, const json_t *users)
{
    const Policy *old = &s->old->config.policy, *new = &s->new->config.policy;
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(users); i++) {
        const json_t *row = json_array_get(users, i);
        const char *state = json_string_value(json_object_get(row, "state"));
        Person person;

        if (state == NULL || strcmp(state, "active") != 0)
            continue;
        read_person(row, &person);
        for (size_t k = 0; k < old->resources.count; k++)
            add_pair(s, &person.who, old->resources.at[k].name, out);
        for (size_t k = 0; k < new->resources.count; k++)
            if (policy_resource(old, new->resources.at[k].name) == NULL)
                add_pair(s, &person.who, new->resources.at[k].name, out);
    }
    return out;
}

/* --- sessions --------------------------------------------------------------------------------- */

static const json_t *user_named(const json_t *users, const char *name)
{
    for (size_t i = 0; name != NULL && i < json_array_size(users); i++) {
        const char *other = json_string_value(json_object_get(json_array_get(users, i), "name"));

        if (other != NULL && strcmp(other, name) == 0)
            return json_array_get(users, i);
    }
    return NULL;
}

static const char *session_cut(const Sides *s, const json_t *session, const Identity *who)
{
    const char *certificate = json_string_value(json_object_get(session, "certificate_sha256"));
    const Pair p =
        pair_of(s, who, text_of(json_string_value(json_object_get(session, "resource"))));
    const char *why = why_cut(&p);

    if (why == NULL && needs_certificate(s->new, who) &&
        (certificate == NULL || certificate[0] == '\0'))
        return "it has no client certificate";
    return why;
}

json_t *diff_sessions(const Sides *s, const json_t *users, const json_t *sessions)
{
    json_t *out = json_array();

    for (size_t i = 0; !hash_eq(&s->old->hash, &s->new->hash) && i < json_array_size(sessions);
         i++) {
        const json_t *row = json_array_get(sessions, i);
        const json_t *user = user_named(users, json_string_value(json_object_get(row, "user")));
        Person person;

        if (user == NULL)
            continue; /* removed meanwhile: it is being cut as it is */
        read_person(user, &person);
        const char *why = session_cut(s, row, &person.who);
        json_t *said =
            json_pack("{s:O, s:O, s:O, s:s, s:s}", "id", json_object_get(row, "id"), "user",
                      json_object_get(row, "user"), "resource", json_object_get(row, "resource"),
                      "outcome", why != NULL ? "cut" : "judged anew", "why",
                      why != NULL ? why : "by these rules from the next statement on");
        (void)json_array_append_new(out, said);
    }
    return out;
}
