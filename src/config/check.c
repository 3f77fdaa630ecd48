#include "base/text.h"
#include "config/load.h"
#include "config/scalar.h"
#include "policy/column_class.h"

#define SIX_YEARS_MS 189216000000ull /* 6 * 365 days */

static void error_at(Loader *l, const void *address, const char *text)
{
    problem_add(l->problems, l->arena, (Problem){ .place = load_place(l, address) }, "%s", text);
}

static void warn_at(Loader *l, const void *address, const char *text)
{
    problem_add(l->problems, l->arena,
                (Problem){ .place = load_place(l, address), .warning = true }, "%s", text);
}

/* Names of one kind of thing: element `i` of an array whose structs begin anywhere. */
typedef struct NameColumn {
    const char *what;
    const uint8_t *first; /* the first struct's name */
    size_t count, stride;
} NameColumn;

static const Bytes *name_at(const NameColumn *names, size_t i)
{
    return (const Bytes *)(const void *)(names->first + i * names->stride);
}

#define NAMES_OF(list, words)                                                                      \
    {                                                                                              \
        .what = words, .first = (list).count > 0 ? (const uint8_t *)&(list).at[0].name : NULL,     \
        .count = (list).count, .stride = sizeof((list).at[0])                                      \
    }

static void check_unique(Loader *l, const NameColumn *names)
{
    for (size_t i = 1; i < names->count; i++)
        for (size_t k = 0; k < i; k++) {
            const Bytes *name = name_at(names, i);

            if (name->len == 0 || !text_eq(*name, *name_at(names, k)))
                continue;
            problem_add(l->problems, l->arena, (Problem){ .place = load_place(l, name) },
                        "there is another %s `%.*s` on line %u", names->what, SHOW(*name),
                        load_place(l, name_at(names, k)).line);
            break;
        }
}

/* Is `*name` one of them? If not, says so at its place. */
static void check_exists(Loader *l, const NameColumn *names, const Bytes *name)
{
    Nearest near = nearest_to(*name);

    if (name->len == 0)
        return;
    for (size_t i = 0; i < names->count; i++) {
        if (text_eq(*name, *name_at(names, i)))
            return;
        nearest_offer(&near, *name_at(names, i));
    }
    const Problem at = { .place = load_place(l, name) };

    if (near.best.len > 0)
        problem_add(l->problems, l->arena, at, "there is no %s `%.*s`; did you mean `%.*s`?",
                    names->what, SHOW(*name), SHOW(near.best));
    else
        problem_add(l->problems, l->arena, at, "there is no %s `%.*s`", names->what, SHOW(*name));
}

static void check_resources_exist(Loader *l, const NameColumn *resources, const Names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (!text_eq(names->at[i], LIT("*")))
            check_exists(l, resources, &names->at[i]);
}

/* Either may have been left out: the fault is at what was written, the last if both were. */
static void check_watermarks(Loader *l, const Watermarks *marks)
{
    const Place sessions = load_place(l, &marks->sessions), reads = load_place(l, &marks->reads);
    const bool reads_later = reads.line > sessions.line ||
                             (reads.line == sessions.line && reads.column > sessions.column);

    if (marks->sessions > marks->reads)
        error_at(l, reads_later ? &marks->reads : &marks->sessions,
                 "`sessions` must not be above `reads`: what it does comes first");
}

static bool address_eq(const Address *a, const Address *b)
{
    return a->port == b->port && text_eq_nocase(a->host, b->host);
}

/* What answers without asking who asks stays on this host. */
static void check_metrics(Loader *l, const Listen *listen)
{
    if (listen->metrics.port == 0)
        return;
    if (!address_is_loopback(&listen->metrics))
        error_at(l, &listen->metrics,
                 "this must be a loopback address such as `127.0.0.1:9464`: it is plain HTTP and "
                 "asks nobody who they are; have an agent on this host pass it on");
    if (listen->metrics.port == listen->postgres.port)
        error_at(l, &listen->metrics, "this port is the one of `postgres`");
}

static void check_clients(Loader *l, const ServerTls *tls)
{
    if (tls->client_ca.len == 0 && tls->client_crl.len > 0)
        error_at(l, &tls->client_crl, "`client_crl` needs `client_ca: file:/PATH`");
    if (tls->client_ca.len == 0 && tls->client_exempt.count > 0)
        error_at(l, &tls->client_exempt.at[0], "`client_exempt` needs `client_ca: file:/PATH`");
    if (tls->client_ca.len > 0 && text_eq(tls->client_ca, tls->key))
        error_at(l, &tls->client_ca, "this file is the key's: authorities are public");
}

static void check_settings(Loader *l, const Config *c)
{
    const Address *listen = &c->gateway.listen.postgres;

    if (listen->port != 0 && !address_is_loopback(listen) && c->gateway.tls.cert.len == 0)
        error_at(l, listen,
                 "without `gateway.tls` this must be a loopback address such as `127.0.0.1:6432`");
    check_metrics(l, &c->gateway.listen);
    if (c->gateway.tls.cert.len > 0 && text_eq(c->gateway.tls.cert, c->gateway.tls.key))
        error_at(l, &c->gateway.tls.key,
                 "certificate and key must be two files: the first is public, the second secret");
    check_clients(l, &c->gateway.tls);
    if (c->version != 0 && !c->identity.local)
        error_at(l, &c->identity.local,
                 "nobody could sign in: local users are the only ones in "
                 "this version");
    check_watermarks(l, &c->recording.watermarks);
    if (c->retention.audit_ms != 0 && c->retention.audit_ms < SIX_YEARS_MS)
        warn_at(l, &c->retention.audit_ms,
                "45 CFR 164.316(b)(2)(i) asks for six years; shorter needs a reason elsewhere");
}

static void check_address(Loader *l, const Config *c, const Resource *r, const Address *a)
{
    const void *place = &r->addresses;

    if (a->host.len == 0)
        error_at(l, place, "`address` must name a host");
    else if (r->tls.mode == TLS_DISABLE && !address_is_loopback(a))
        error_at(l, place,
                 "without TLS only a loopback address is allowed; use `mode: verify-full`");
    if (address_eq(a, &c->gateway.listen.postgres))
        error_at(l, place, "this is the gateway's own address");
    for (const Address *before = r->addresses.at; before < a; before++)
        if (address_eq(a, before))
            error_at(l, place, "`address` has the same one twice");
}

static void check_resource(Loader *l, const Config *c, const Resource *r)
{
    for (size_t i = 0; i < r->addresses.count; i++)
        check_address(l, c, r, &r->addresses.at[i]);
    if (r->tls.mode == TLS_VERIFY_FULL && r->tls.ca.len == 0)
        error_at(l, &r->tls.mode, "`verify-full` needs `ca: file:/PATH`");
    if (r->tls.mode == TLS_DISABLE && r->tls.ca.len > 0)
        error_at(l, &r->tls.ca, "`ca` belongs to `mode: verify-full` only");
    for (size_t i = 0; i < r->labels.count; i++) {
        const Label *label = &r->labels.at[i];

        if (text_eq(label->key, LIT("phi")) && !text_eq(label->value, LIT("yes")) &&
            !text_eq(label->value, LIT("no")))
            error_at(l, label, "label `phi` must be `yes` or `no`");
    }
}

static void check_role_reads(Loader *l, const Config *c, const Role *role)
{
    for (size_t i = 0; role->masking.len == 0 && i < role->allow.count; i++)
        for (size_t k = 0; k < c->policy.resources.count; k++) {
            const Resource *r = &c->policy.resources.at[k];

            if (!resource_is_phi(r) || !names_cover(&role->allow.at[i].resources, r->name))
                continue;
            warn_at(l, &role->name,
                    "without a masking profile this role sees every text and date "
                    "of a PHI resource as NULL");
            return;
        }
}

static void check_role(Loader *l, const Config *c, const NameColumn *resources, const Role *role)
{
    const NameColumn profiles = NAMES_OF(c->policy.profiles, "masking profile");

    check_exists(l, &profiles, &role->masking);
    for (size_t i = 0; i < role->allow.count; i++)
        check_resources_exist(l, resources, &role->allow.at[i].resources);
    check_resources_exist(l, resources, &role->review.resources);
    if (role->allow.count == 0 && role->review.resources.count == 0 &&
        role->evidence == EVIDENCE_NONE)
        warn_at(l, &role->name, "this role gives nothing: no `allow`, `review` or `evidence`");
    if (role->predicates == PREDICATES_ANY)
        warn_at(l, &role->predicates,
                "with `any` a protected value can be found by search in about "
                "30 queries");
    if (role->predicates == PREDICATES_TOKEN)
        warn_at(l, &role->predicates,
                "pseudonyms in conditions are not translated in this version: "
                "`token` refuses as `none` does");
    check_role_reads(l, c, role);
}

/* Few distinct values: counting pseudonyms gives the values away. */
static void check_pseudonym(Loader *l, const MaskingRule *rule)
{
    for (unsigned bit = 1; bit != 0 && bit <= rule->classes; bit <<= 1)
        if ((rule->classes & bit) != 0 && column_class_repeats((ColumnClass)bit)) {
            problem_add(l->problems, l->arena, (Problem){ .place = load_place(l, &rule->classes) },
                        "pseudonyms of class `%s` can be told by how often they occur; use redact, "
                        "year or zip3",
                        column_class_name((ColumnClass)bit));
            return;
        }
    for (size_t i = 0; i < rule->columns.count; i++) {
        const NamePattern *p = &rule->columns.at[i];
        const ColumnClass class = column_class(p->column);

        if (column_class_repeats(class))
            problem_add(l->problems, l->arena, (Problem){ .place = load_place(l, p) },
                        "`%.*s` looks like a %s, whose pseudonyms can be told by how often they "
                        "occur; use redact, year or zip3",
                        SHOW(p->column), column_class_name(class));
    }
}

static void check_rule(Loader *l, const NameColumn *resources, const MaskingRule *rule)
{
    if (!text_eq(rule->resource, LIT("*")))
        check_exists(l, resources, &rule->resource);
    if ((rule->columns.count > 0) == (rule->classes != 0) && rule->method != MASK_WITHHOLD)
        error_at(l, &rule->method, "a masking rule needs either `columns` or `classes`");
    if (rule->method == MASK_PSEUDONYM) {
        check_pseudonym(l, rule);
        return;
    }
    if (rule->scope.len > 0 && rule->method != MASK_WITHHOLD)
        error_at(l, &rule->scope, "`scope` belongs to `method: pseudonym` only");
    if (rule->prefix.len > 0 && rule->method != MASK_WITHHOLD)
        error_at(l, &rule->prefix, "`prefix` belongs to `method: pseudonym` only");
}

static void check_guardrail(Loader *l, const NameColumn *resources, const Guardrail *g)
{
    const GuardrailMatch *m = &g->match;
    const uint64_t with_where = (uint64_t)1 << STATEMENT_UPDATE | (uint64_t)1 << STATEMENT_DELETE;

    check_resources_exist(l, resources, &g->resources);
    if (m->statements == 0 && m->effects == 0 && m->where == WHERE_EITHER && m->tables.count == 0)
        error_at(l, &g->name,
                 "this guardrail has no condition, so it would refuse every statement");
    if (m->where != WHERE_EITHER && m->statements != 0 && (m->statements & with_where) == 0)
        warn_at(l, &m->where, "can never match: `where` is about UPDATE and DELETE");
}

/* How many people could ever answer: no_bound when a group decides. */
static size_t possible_people(const Role *role, size_t no_bound)
{
    size_t people = 0;

    for (size_t i = 0; i < role->members.count; i++) {
        if (text_starts(role->members.at[i], LIT("group:")))
            return no_bound;
        people += text_starts(role->members.at[i], LIT("user:"));
    }
    return people;
}

static void check_approval(Loader *l, const Config *c, const NameColumn *resources,
                           const Approval *a)
{
    const NameColumn roles = NAMES_OF(c->policy.roles, "role");
    const bool by_role = text_find(a->ask.group, LIT("/")) == a->ask.group.len;

    check_resources_exist(l, resources, &a->when.resources);
    if (a->ask.count != 0 && !a->ask.not_self)
        error_at(l, &a->ask.not_self,
                 "an approval is always another person's: `not_self: false` is "
                 "not available");
    if (!by_role)
        return;
    check_exists(l, &roles, &a->ask.group);
    const Role *role = policy_role_named(&c->policy, a->ask.group);

    if (role == NULL || a->ask.group.len == 0)
        return;
    const size_t people = possible_people(role, SIZE_MAX);

    if (people < a->ask.count)
        problem_add(l->problems, l->arena,
                    (Problem){ .place = load_place(l, &a->ask.group), .warning = true },
                    "this approval can never be given, so what needs it is refused: `%.*s` has %zu "
                    "people, %u needed",
                    SHOW(a->ask.group), people, (unsigned)a->ask.count);
}

static void check_names(Loader *l, const Policy *p)
{
    const NameColumn kinds[] = {
        NAMES_OF(p->resources, "resource"), NAMES_OF(p->roles, "role"),
        NAMES_OF(p->profiles, "profile"),   NAMES_OF(p->guardrails, "guardrail"),
        NAMES_OF(p->approvals, "approval"),
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        check_unique(l, &kinds[i]);
}

void check_config(Loader *l, const Config *c)
{
    const Policy *p = &c->policy;
    const NameColumn resources = NAMES_OF(p->resources, "resource");

    check_settings(l, c);
    check_names(l, p);
    for (size_t i = 0; i < p->resources.count; i++)
        check_resource(l, c, &p->resources.at[i]);
    for (size_t i = 0; i < p->roles.count; i++)
        check_role(l, c, &resources, &p->roles.at[i]);
    for (size_t i = 0; i < p->profiles.count; i++)
        for (size_t k = 0; k < p->profiles.at[i].rules.count; k++)
            check_rule(l, &resources, &p->profiles.at[i].rules.at[k]);
    for (size_t i = 0; i < p->guardrails.count; i++)
        check_guardrail(l, &resources, &p->guardrails.at[i]);
    for (size_t i = 0; i < p->approvals.count; i++)
        check_approval(l, c, &resources, &p->approvals.at[i]);
}
