#include "ehr.h"

#include "base/text.h"
#include "policy/column_class.h"
#include "test.h"

#include <string.h>

#define C(n, num, type)                                                                            \
    {                                                                                              \
        .name = LIT_INIT(n), .attnum = num, .type_oid = type                                       \
    }

static const SchemaColumn PATIENT_COLUMNS[] = {
    C("id", ID, 23),
    C("mrn", MRN, 25),
    C("last_name", LAST_NAME, 25),
    C("birth_date", BIRTH_DATE, 1082),
    C("zip", ZIP, 25),
    C("phone", PHONE, 25),
    C("city", CITY, 25),
    C("notes", NOTES, 25),
};
static const SchemaColumn ENCOUNTER_COLUMNS[] = { C("id", 1, 23), C("cost", 2, 1700) };
static const SchemaColumn CLASS_COLUMNS[] = { C("relname", 1, 19) };
static const SchemaColumn STATISTIC_COLUMNS[] = { C("stavalues1", 1, 25) };

static const SchemaRelation RELATIONS[] = {
    { .oid = PG_CLASS,
      .kind = 'r',
      .schema = LIT_INIT("pg_catalog"),
      .name = LIT_INIT("pg_class"),
      .columns = CLASS_COLUMNS,
      .column_count = 1 },
    { .oid = PG_STATISTIC,
      .kind = 'r',
      .schema = LIT_INIT("pg_catalog"),
      .name = LIT_INIT("pg_statistic"),
      .columns = STATISTIC_COLUMNS,
      .column_count = 1 },
    { .oid = ENCOUNTER,
      .kind = 'r',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("encounter"),
      .columns = ENCOUNTER_COLUMNS,
      .column_count = 2 },
    { .oid = PATIENT,
      .kind = 'r',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("patient"),
      .columns = PATIENT_COLUMNS,
      .column_count = COUNT_OF(PATIENT_COLUMNS) },
};
static const uint32_t BY_OID[] = { 3, 2, 0, 1 };

static const NamePattern MRN_COLUMN[] = { { { 0 }, LIT_INIT("patient"), LIT_INIT("mrn") } };
static const NamePattern CITY_COLUMN[] = { { { 0 }, LIT_INIT("patient"), LIT_INIT("city") } };
static const MaskingRule RULES[] = {
    { .columns = { MRN_COLUMN, 1 }, .method = MASK_PSEUDONYM },
    { .columns = { CITY_COLUMN, 1 }, .method = MASK_CLEAR },
    { .classes = CLASS_NAME | CLASS_PHONE, .method = MASK_REDACT },
    { .classes = CLASS_DATE, .method = MASK_YEAR },
    { .classes = CLASS_ZIP, .method = MASK_ZIP3 },
};
static const MaskingProfile PROFILES[] = { { .name = LIT_INIT("analyst"),
                                             .rules = { RULES, COUNT_OF(RULES) } } };

static const Bytes EHR_ONLY[] = { LIT_INIT("ehr") };
static const Bytes DANA[] = { LIT_INIT("user:dana"), LIT_INIT("agent:ai-triage") };
static const Bytes PRIVACY[] = { LIT_INIT("group:local/privacy") };
static const NamePattern PATIENT_TABLE[] = { { { 0 }, LIT_INIT("patient"), { 0 } } };
static const Grant READS[] = { { .resources = { EHR_ONLY, 1 }, .actions = EFFECT_READ } };
static const Grant WRITES[] = { { .resources = { EHR_ONLY, 1 },
                                  .actions = EFFECT_READ | EFFECT_WRITE } };
static const Grant PATIENTS[] = { { .resources = { EHR_ONLY, 1 },
                                    .actions = EFFECT_READ | EFFECT_WRITE,
                                    .tables = { PATIENT_TABLE, 1 } } };
static const Grant EVERYTHING[] = { { .resources = { EHR_ONLY, 1 }, .actions = ~0u } };

#define ROLE(n, grants, ...)                                                                       \
    {                                                                                              \
        .name = LIT_INIT(n), .members = { DANA, 2 }, .allow = { grants, 1 },                       \
        .masking = LIT_INIT("analyst"), __VA_ARGS__                                                \
    }
const Role EHR_ROLES[ROLE_COUNT] = {
    [ROLE_READER] = ROLE("reader", READS, .predicates = PREDICATES_NONE),
    [ROLE_WRITER] = ROLE("writer", WRITES, .predicates = PREDICATES_NONE),
    [ROLE_AGENT] = ROLE("triage", PATIENTS, .predicates = PREDICATES_NONE),
    [ROLE_ADMIN] = ROLE("admin", EVERYTHING, .writes = WRITES_ALLOW),
    [ROLE_TOKEN] = ROLE("token", READS, .predicates = PREDICATES_TOKEN),
    [ROLE_EQUALITY] = ROLE("equality", READS, .predicates = PREDICATES_EQUALITY),
    [ROLE_ANY] = ROLE("any", READS, .predicates = PREDICATES_ANY),
    [ROLE_HOLD] = ROLE("hold", WRITES, .writes = WRITES_HOLD),
    [ROLE_PURPOSE] = ROLE("purpose", WRITES, .purpose_required = true),
};
static const Role REVIEWERS = { .name = LIT_INIT("privacy-office"),
                                .members = { PRIVACY, 1 },
                                .review = { { EHR_ONLY, 1 } },
                                .evidence = EVIDENCE_READ };

static const Guardrail GUARDRAILS[] = {
    { .name = LIT_INIT("no-unbounded-delete"),
      .resources = { EHR_ONLY, 1 },
      .match = { .statements = 1u << STATEMENT_DELETE | 1u << STATEMENT_UPDATE,
                 .where = WHERE_ABSENT },
      .message = LIT_INIT("DELETE and UPDATE need a WHERE clause here."),
      .suggest = SUGGEST_ADD_WHERE },
    { .name = LIT_INIT("no-ddl"), .match = { .effects = EFFECT_DDL } },
};
static const Label PHI[] = { { LIT_INIT("phi"), LIT_INIT("yes") } };
static const Approval APPROVALS[] = {
    { .name = LIT_INIT("writes-on-phi"),
      .when = { .labels = { PHI, 1 }, .effects = EFFECT_WRITE },
      .ask = { .group = LIT_INIT("privacy-office"), .count = 1, .not_self = true },
      .grant = { .valid_ms = 900000 } },
};
static const Resource RESOURCE = { .name = LIT_INIT("ehr"), .labels = { PHI, 1 } };

static bool sensitive(Bytes s, Bytes name)
{
    (void)s;
    return text_eq(name, LIT("pg_statistic"));
}

void ehr_begin(Ehr *e, size_t role)
{
    const Protection *protection;

    *e = (Ehr){ .identity = { .kind = IDENTITY_HUMAN, .name = LIT("dana") } };
    memcpy(e->roles, EHR_ROLES, sizeof EHR_ROLES);
    e->roles[ROLE_COUNT] = REVIEWERS;
    arena_init(&e->arena, 1 << 20);
    e->schema =
        (Schema){ .relations = RELATIONS, .relation_count = COUNT_OF(RELATIONS), .by_oid = BY_OID };
    e->policy = (Policy){
        .resources = { &RESOURCE, 1 },
        .roles = { e->roles, COUNT_OF(e->roles) },
        .profiles = { PROFILES, 1 },
        .guardrails = { GUARDRAILS, COUNT_OF(GUARDRAILS) },
        .approvals = { APPROVALS, COUNT_OF(APPROVALS) },
        .hold_default_ms = 600000,
    };
    const ProtectionInput in = { PROFILES, &RESOURCE, &e->schema, NULL, sensitive };
    EXPECT(protection_make(&in, &e->arena, &protection) == OK);
    e->in = (Judgement){
        .policy = &e->policy,
        .role = &EHR_ROLES[role],
        .identity = &e->identity,
        .resource = &RESOURCE,
        .command = &e->command,
        .meaning = &e->meaning,
        .schema = &e->schema,
        .protection = protection,
        .arena = &e->arena,
    };
}

void ehr_done(Ehr *e)
{
    arena_done(&e->arena);
}

Verdict ehr_judge(Ehr *e, const Scene *scene)
{
    const SchemaRelation *r = schema_by_oid(&e->schema, scene->table);
    size_t uses = 0, values = 0;

    while (uses < COUNT_OF(scene->uses) && scene->uses[uses].column.oid != 0)
        uses++;
    while (values < COUNT_OF(scene->values) && scene->values[values].column.oid != 0)
        values++;
    e->command.text = text_of(scene->sql);
    e->output = (Output){ .kind = OUTPUT_COMPUTED, .name = LIT("x") };
    e->statements[0] = (Statement){
        .kind = scene->kind,
        .effects = scene->effects,
        .has_where = scene->has_where,
        .length = (uint32_t)e->command.text.len,
        .outputs_known = true,
        .outputs = &e->output,
        .output_count = scene->kind == STATEMENT_SELECT ? 1 : 0,
    };
    if (r != NULL)
        e->relation = (RelationUse){ .oid = r->oid,
                                     .schema = r->schema,
                                     .name = r->name,
                                     .position = 7,
                                     .effects = scene->effects & (EFFECT_READ | EFFECT_WRITE |
                                                                  EFFECT_DDL | EFFECT_LOCK) };
    e->meaning = (Meaning){
        .understood = true,
        .effects = scene->effects,
        .statements = e->statements,
        .statement_count = 1,
        .relations = &e->relation,
        .relation_count = r != NULL ? 1 : 0,
        .uses = scene->uses,
        .use_count = uses,
        .values = scene->values,
        .value_count = values,
    };
    return policy_judge(&e->in);
}

const char *ehr_says(Ehr *e, const Verdict *v)
{
    const char *text;
    Buf out;

    buf_init(&out, 1 << 16);
    EXPECT(message_primary(&v->fault, LIT("d-test"), &out) == OK);
    EXPECT(arena_string(&e->arena, buf_view(&out), &text) == OK);
    buf_done(&out);
    return text;
}
