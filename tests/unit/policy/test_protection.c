#include "policy/protection.h"

#include "base/text.h"
#include "policy/column_class.h"
#include "test.h"

#define C(n, num, type)                                                                            \
    {                                                                                              \
        .name = LIT_INIT(n), .attnum = num, .type_oid = type                                       \
    }
#define V(n, num, type, oid, at)                                                                   \
    {                                                                                              \
        .name = LIT_INIT(n), .attnum = num, .type_oid = type, .origin = { oid, at }                \
    }
#define COLUMNS(list) .columns = list, .column_count = COUNT_OF(list)
#define READS(list)   .reads = list, .read_count = COUNT_OF(list)

enum { INT4 = 23, TEXT = 25, DATE = 1082, JSONB = 3802, UUID = 2950, BOOL = 16 };
enum {
    PATIENT = 100,
    EVENT = 200,
    EVENT_1 = 201,
    V1 = 300,
    V2 = 301,
    V3 = 302,
    STAT = 2619,
    CLASS = 1259
};

static const SchemaColumn PATIENT_COLUMNS[] = {
    C("id", 1, INT4),         C("mrn", 2, TEXT),      C("last_name", 3, TEXT),
    C("birth_date", 4, DATE), C("zip", 6, TEXT),      C("city", 7, TEXT),
    C("notes", 8, TEXT),      C("payload", 9, JSONB), C("ref_date", 10, DATE),
};
static const SchemaColumn EVENT_COLUMNS[] = { C("id", 1, INT4), C("token", 2, TEXT),
                                              C("kind", 3, TEXT) };
static const SchemaColumn EVENT_1_COLUMNS[] = { C("kind", 1, TEXT), C("token", 2, TEXT),
                                                C("id", 3, INT4) };
static const uint32_t EVENT_1_PARENTS[] = { EVENT };
/* v1 shows patient, v2 shows v1, v3 computes. */
static const SchemaColumn V1_COLUMNS[] = {
    V("id", 1, INT4, PATIENT, 1), V("ident", 2, TEXT, PATIENT, 2), V("town", 3, TEXT, PATIENT, 7),
    V("n", 4, TEXT, PATIENT, 8),  V("seen", 5, TEXT, 0, 0),
};
static const ColumnRef V1_READS[] = {
    { PATIENT, 1 }, { PATIENT, 2 }, { PATIENT, 7 }, { PATIENT, 8 }
};
static const SchemaColumn V2_COLUMNS[] = { V("a", 1, TEXT, V1, 2), V("b", 2, TEXT, V1, 3),
                                           V("c", 3, TEXT, V1, 5) };
static const ColumnRef V2_READS[] = { { V1, 2 }, { V1, 3 }, { V1, 5 } };
static const SchemaColumn V3_COLUMNS[] = { V("count", 1, INT4, 0, 0), V("lost", 2, TEXT, 999, 1) };
static const ColumnRef V3_READS[] = { { PATIENT, 1 } };
static const SchemaColumn STAT_COLUMNS[] = { C("stavalues1", 1, TEXT) };
static const SchemaColumn CLASS_COLUMNS[] = { C("relname", 1, 19) };

static SchemaRelation relations[] = {
    { .oid = CLASS,
      .kind = 'r',
      .schema = LIT_INIT("pg_catalog"),
      .name = LIT_INIT("pg_class"),
      COLUMNS(CLASS_COLUMNS) },
    { .oid = STAT,
      .kind = 'r',
      .schema = LIT_INIT("pg_catalog"),
      .name = LIT_INIT("pg_statistic"),
      COLUMNS(STAT_COLUMNS) },
    { .oid = EVENT,
      .kind = 'p',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("event"),
      COLUMNS(EVENT_COLUMNS) },
    { .oid = EVENT_1,
      .kind = 'r',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("event_1"),
      COLUMNS(EVENT_1_COLUMNS),
      .parents = EVENT_1_PARENTS,
      .parent_count = 1 },
    { .oid = PATIENT,
      .kind = 'r',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("patient"),
      COLUMNS(PATIENT_COLUMNS) },
    { .oid = V1,
      .kind = 'v',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("v1"),
      COLUMNS(V1_COLUMNS),
      READS(V1_READS) },
    { .oid = V2,
      .kind = 'm',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("v2"),
      COLUMNS(V2_COLUMNS),
      READS(V2_READS) },
    { .oid = V3,
      .kind = 'v',
      .schema = LIT_INIT("public"),
      .name = LIT_INIT("v3"),
      COLUMNS(V3_COLUMNS),
      READS(V3_READS) },
};
static const uint32_t BY_OID[] = { 4, 2, 3, 5, 6, 7, 0, 1 };

static Schema schema(void)
{
    return (
        Schema){ .relations = relations, .relation_count = COUNT_OF(relations), .by_oid = BY_OID };
}

#define PATTERN(s, t, c)                                                                           \
    {                                                                                              \
        LIT_INIT(s), LIT_INIT(t), LIT_INIT(c)                                                      \
    }
static const NamePattern MRN[] = { PATTERN("", "patient", "mrn") };
static const NamePattern BIRTH[] = { PATTERN("public", "PATIENT", "Birth_Date"),
                                     PATTERN("", "", "ref_date") };
static const NamePattern CITY[] = { PATTERN("", "", "city"), PATTERN("", "event", "kind") };
static const NamePattern TOKEN[] = { PATTERN("", "event_1", "token") };
static const NamePattern ALL[] = { PATTERN("", "", "") };
static const NamePattern SEEN[] = { PATTERN("", "v1", "seen"), PATTERN("", "v1", "ident") };

#define RULE(list, how)                                                                            \
    {                                                                                              \
        .columns = { list, COUNT_OF(list) }, .method = how                                         \
    }
static const MaskingRule RULES[] = {
    { .resource = LIT_INIT("elsewhere"), .columns = { ALL, 1 }, .method = MASK_CLEAR },
    RULE(MRN, MASK_PSEUDONYM),
    RULE(BIRTH, MASK_YEAR),
    { .classes = CLASS_NAME, .method = MASK_REDACT },
    RULE(CITY, MASK_CLEAR),
    RULE(TOKEN, MASK_REDACT),
};
static const MaskingProfile PROFILE = { .rules = { RULES, COUNT_OF(RULES) } };
static const Label PHI[] = { { LIT_INIT("phi"), LIT_INIT("yes") } };
static const Resource EHR = { .name = LIT_INIT("ehr"), .labels = { PHI, 1 } };
static const Resource BILLING = { .name = LIT_INIT("billing") };

static bool sensitive(Bytes s, Bytes name)
{
    (void)s;
    return text_eq(name, LIT("pg_statistic"));
}

static const Protection *make(Arena *arena, const Resource *resource, const MaskingProfile *profile,
                              const Protection *previous)
{
    const Schema s = schema();
    const ProtectionInput in = { profile, resource, &s, previous, sensitive };
    const Protection *p;

    EXPECT(protection_make(&in, arena, &p) == OK);
    return p;
}

static MaskMethod method(const Protection *p, uint32_t oid, int16_t attnum)
{
    return protection_of(p, (ColumnRef){ oid, attnum }).method;
}

static bool unclassified(const Protection *p, uint32_t oid, int16_t attnum)
{
    const ColumnMask m = protection_of(p, (ColumnRef){ oid, attnum });

    return m.unclassified && m.method == MASK_NULL;
}

static void rules_and_defaults_decide(void)
{
    Arena a;

    arena_init(&a, 1 << 20);
    const Protection *p = make(&a, &EHR, &PROFILE, NULL);

    EXPECT(method(p, PATIENT, 1) == MASK_CLEAR);
    EXPECT(method(p, PATIENT, 2) == MASK_PSEUDONYM);
    EXPECT(text_eq(protection_of(p, (ColumnRef){ PATIENT, 2 }).class_prefix, LIT("MRN")));
    EXPECT(method(p, PATIENT, 3) == MASK_REDACT);
    EXPECT(method(p, PATIENT, 4) == MASK_YEAR && method(p, PATIENT, 10) == MASK_YEAR);
    EXPECT(unclassified(p, PATIENT, 6) && unclassified(p, PATIENT, 8) &&
           unclassified(p, PATIENT, 9));
    EXPECT(method(p, PATIENT, 7) == MASK_CLEAR);
    EXPECT(method(p, PATIENT, -1) == MASK_CLEAR); /* ctid */
    EXPECT(method(p, PATIENT, 5) == MASK_WITHHOLD && method(p, PATIENT, 0) == MASK_WITHHOLD);
    EXPECT(method(p, PATIENT, 11) == MASK_WITHHOLD && method(p, 777, 1) == MASK_WITHHOLD);
    EXPECT(method(NULL, PATIENT, 1) == MASK_WITHHOLD);
    EXPECT(protection_any(p));
    arena_done(&a);
}

static void without_phi_what_no_rule_names_is_clear(void)
{
    Arena a;

    arena_init(&a, 1 << 20);
    const Protection *p = make(&a, &BILLING, NULL, NULL);

    EXPECT(method(p, PATIENT, 8) == MASK_CLEAR && method(p, V1, 5) == MASK_CLEAR);
    EXPECT(method(p, STAT, 1) == MASK_WITHHOLD);
    p = make(&a, &BILLING, &PROFILE, NULL);
    EXPECT(method(p, PATIENT, 3) == MASK_REDACT && method(p, PATIENT, 8) == MASK_CLEAR);
    EXPECT(method(p, V1, 5) == MASK_NULL);
    arena_done(&a);
}

static void system_relations_are_clear_or_withheld(void)
{
    Arena a;

    arena_init(&a, 1 << 20);
    const Protection *p = make(&a, &EHR, &PROFILE, NULL);

    EXPECT(method(p, CLASS, 1) == MASK_CLEAR && method(p, STAT, 1) == MASK_WITHHOLD);
    EXPECT(method(p, STAT, -1) == MASK_WITHHOLD);
    arena_done(&a);
}

static void views_are_as_strong_as_what_they_show(void)
{
    static const MaskingRule LOOSE[] = { RULE(SEEN, MASK_CLEAR), RULE(MRN, MASK_PSEUDONYM),
                                         RULE(CITY, MASK_CLEAR) };
    static const MaskingRule HARD[] = { RULE(SEEN, MASK_REDACT), RULE(MRN, MASK_PSEUDONYM) };
    const MaskingProfile loose = { .rules = { LOOSE, COUNT_OF(LOOSE) } };
    const MaskingProfile hard = { .rules = { HARD, COUNT_OF(HARD) } };
    Arena a;

    arena_init(&a, 1 << 20);
    const Protection *p = make(&a, &EHR, &PROFILE, NULL);

    EXPECT(method(p, V1, 2) == MASK_PSEUDONYM && method(p, V1, 3) == MASK_CLEAR);
    EXPECT(unclassified(p, V1, 4) && unclassified(p, V1, 5));
    EXPECT(method(p, V2, 1) == MASK_PSEUDONYM && method(p, V2, 2) == MASK_CLEAR);
    EXPECT(unclassified(p, V2, 3));
    EXPECT(method(p, V3, 1) == MASK_CLEAR);    /* reads nothing masked, and is a number */
    EXPECT(method(p, V3, 2) == MASK_WITHHOLD); /* shows what nobody knows */
    p = make(&a, &EHR, &loose, NULL);
    EXPECT(method(p, V1, 2) == MASK_PSEUDONYM); /* `clear` on the view does not undo the base */
    EXPECT(unclassified(p, V1, 5));
    p = make(&a, &EHR, &hard, NULL);
    EXPECT(method(p, V1, 2) == MASK_REDACT && method(p, V1, 5) == MASK_REDACT);
    arena_done(&a);
}

static void families_share(void)
{
    Arena a;

    arena_init(&a, 1 << 20);
    const Protection *p = make(&a, &EHR, &PROFILE, NULL);

    EXPECT(method(p, EVENT, 2) == MASK_NULL);     /* unclassified stays stronger */
    EXPECT(method(p, EVENT_1, 2) == MASK_REDACT); /* its own rule */
    EXPECT(method(p, EVENT, 3) == MASK_CLEAR && method(p, EVENT_1, 1) == MASK_CLEAR);
    p = make(&a, &BILLING, &PROFILE, NULL);
    EXPECT(method(p, EVENT, 2) == MASK_REDACT); /* the partition's rule holds for the parent */
    arena_done(&a);
}

static void what_was_masked_stays_masked(void)
{
    Arena a, b;
    const ColumnRef *sticky;
    SchemaColumn renamed[COUNT_OF(PATIENT_COLUMNS)];
    SchemaRelation *patient = &relations[4];

    arena_init(&a, 1 << 20);
    arena_init(&b, 1 << 20);
    const Protection *before = make(&a, &EHR, &PROFILE, NULL);

    for (size_t i = 0; i < COUNT_OF(renamed); i++)
        renamed[i] = PATIENT_COLUMNS[i];
    renamed[1].name = LIT("city"); /* a rule says clear */
    patient->columns = renamed;
    const Protection *p = make(&b, &EHR, &PROFILE, before);

    arena_done(&a);
    EXPECT(method(p, PATIENT, 2) == MASK_PSEUDONYM && method(p, V1, 2) == MASK_PSEUDONYM);
    EXPECT(text_eq(protection_of(p, (ColumnRef){ PATIENT, 2 }).class_prefix, LIT("MRN")));
    EXPECT(protection_sticky(p, &sticky) >= 1 &&
           column_ref_eq(sticky[0], (ColumnRef){ PATIENT, 2 }));
    p = make(&b, &EHR, &PROFILE, NULL);
    EXPECT(method(p, PATIENT, 2) == MASK_CLEAR && protection_sticky(p, &sticky) == 0);
    patient->columns = PATIENT_COLUMNS;
    arena_done(&b);
}

static void a_row_is_as_strong_as_its_first_masked_column(void)
{
    Arena a;
    ColumnRef column;
    ColumnMask mask;

    arena_init(&a, 1 << 20);
    const Protection *p = make(&a, &EHR, &PROFILE, NULL);

    EXPECT(protection_of_row(p, PATIENT, &column, &mask));
    EXPECT(column.attnum == 2 && mask.method == MASK_PSEUDONYM);
    EXPECT(!protection_of_row(p, CLASS, &column, &mask));
    EXPECT(protection_of_row(p, 777, &column, &mask) && mask.method == MASK_WITHHOLD);
    arena_done(&a);
}

static void any_allocation_may_fail(void)
{
    const Schema s = schema();
    const ProtectionInput in = { &PROFILE, &EHR, &s, NULL, NULL };

    for (size_t budget = 0; budget < 6000; budget += 16) {
        const Protection *p;
        Arena a;

        arena_init(&a, budget);
        const Err err = protection_make(&in, &a, &p);
        EXPECT(err == OK || err == ERR_LIMIT);
        arena_done(&a);
    }
}

int main(void)
{
    TEST(rules_and_defaults_decide);
    TEST(without_phi_what_no_rule_names_is_clear);
    TEST(system_relations_are_clear_or_withheld);
    TEST(views_are_as_strong_as_what_they_show);
    TEST(families_share);
    TEST(what_was_masked_stays_masked);
    TEST(a_row_is_as_strong_as_its_first_masked_column);
    TEST(any_allocation_may_fail);
    return 0;
}
