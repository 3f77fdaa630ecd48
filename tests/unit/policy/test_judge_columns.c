/* What may be done with columns that do not leave in clear. */
#include "base/text.h"
#include "ehr.h"
#include "test.h"

#include <string.h>

#define R             EFFECT_READ
#define W             EFFECT_WRITE
#define RW            (EFFECT_READ | EFFECT_WRITE)
#define REFUSED(rule) "chaperone refused (rule " rule ", d-test): "
#define USE(k, c)                                                                                  \
    {                                                                                              \
        k, { PATIENT, c }, 0, 0, 7                                                                 \
    }
#define SELECT .sql = "select  x from patient", STATEMENT_SELECT, R, PATIENT, false
#define UPDATE .sql = "update patient set x = y where id = 1", STATEMENT_UPDATE, RW, PATIENT, true
#define INSERT .sql = "insert into patient values ('x')", STATEMENT_INSERT, W, PATIENT, false
#define CODE   "7F3A2CQ4W9T2K8PN"

typedef struct Case {
    size_t role;
    Scene scene;
    MessageCode code; /* CHP_NONE: allowed; CHP_3201: held */
    const char *says; /* NULL: not looked at */
} Case;

static const Case CASES[] = {
    /* Shown as it is: the mask plan's business */
    { ROLE_READER, { SELECT, { USE(USE_OUTPUT, MRN), USE(USE_OUTPUT, NOTES) } }, CHP_NONE, NULL },
    { ROLE_READER, { SELECT, { USE(USE_OUTPUT, -1) } }, CHP_NONE, NULL },
    { ROLE_READER,
      { SELECT, { { USE_OUTPUT, { PG_STATISTIC, 1 }, 0, 0, 7 } } },
      CHP_3111,
      REFUSED("analyst") "pg_statistic.stavalues1 holds values of other tables, or is not known; "
                         "leave the column out of the statement" },
    { ROLE_READER, { SELECT, { { USE_OUTPUT, { 999, 1 }, 0, 0, 7 } } }, CHP_3111, NULL },
    { ROLE_READER, { SELECT, { USE(USE_OUTPUT, 20) } }, CHP_3111, NULL },
    /* The whole row as one value */
    { ROLE_READER,
      { SELECT, { USE(USE_OUTPUT, 0) } },
      CHP_3111,
      REFUSED("analyst") "the whole row is used as one value, and it holds patient.mrn (masked: "
                         "pseudonym); name the columns you need" },
    { ROLE_READER, { SELECT, { { USE_OUTPUT, { PG_CLASS, 0 }, 0, 0, 7 } } }, CHP_NONE, NULL },
    { ROLE_READER, { SELECT, { { USE_DERIVED, { ENCOUNTER, 0 }, 0, 0, 7 } } }, CHP_NONE, NULL },
    { ROLE_READER, { SELECT, { USE(USE_DERIVED, 0) } }, CHP_3111, NULL },
    { ROLE_READER, { SELECT, { USE(USE_COUNTED, 0) } }, CHP_NONE, NULL },
    /* Computed */
    { ROLE_READER, { SELECT, { USE(USE_DERIVED, CITY) } }, CHP_NONE, NULL },
    { ROLE_READER, { SELECT, { USE(USE_COUNTED, MRN) } }, CHP_NONE, NULL },
    { ROLE_ANY,
      { SELECT, { USE(USE_DERIVED, LAST_NAME) } },
      CHP_3111,
      REFUSED("analyst") "output \"x\" is computed from patient.last_name (masked: redact); select "
                         "the column directly, it will be masked" },
    { ROLE_READER,
      { SELECT, { USE(USE_DERIVED, NOTES) } },
      CHP_3111,
      REFUSED("analyst") "output \"x\" is computed from patient.notes (unclassified, so masked); "
                         "select the column directly, it will be masked" },
    /* Conditions */
    { ROLE_READER,
      { SELECT, { USE(USE_PREDICATE, CITY), USE(USE_EQUALS_VALUE, ID) } },
      CHP_NONE,
      NULL },
    { ROLE_READER,
      { SELECT, { USE(USE_EQUALS_VALUE, MRN) } },
      CHP_3113,
      REFUSED("analyst") "patient.mrn (masked: pseudonym) decides about the result; filter by a "
                         "column that is not protected" },
    { ROLE_READER,
      { SELECT, { USE(USE_PREDICATE, BIRTH_DATE) } },
      CHP_3113,
      REFUSED("analyst") "patient.birth_date (masked: year) decides about the result; filter by a "
                         "column that is not protected" },
    { ROLE_READER, { SELECT, { USE(USE_PREDICATE, NOTES) } }, CHP_3113, NULL },
    { ROLE_TOKEN,
      { SELECT, { USE(USE_EQUALS_VALUE, MRN) } },
      CHP_3113,
      REFUSED("analyst") "role token may compare patient.mrn (masked: pseudonym) with a pseudonym "
                         "only, and pseudonyms in conditions are not available in this version; "
                         "filter by a column that is not protected" },
    { ROLE_EQUALITY, { SELECT, { USE(USE_EQUALS_VALUE, MRN) } }, CHP_NONE, NULL },
    { ROLE_EQUALITY,
      { SELECT, { USE(USE_PREDICATE, MRN) } },
      CHP_3113,
      REFUSED("analyst") "patient.mrn (masked: pseudonym) decides about the result; compare it "
                         "with = to a value, or filter by a column that is not protected" },
    { ROLE_EQUALITY,
      { SELECT,
        { USE(USE_EQUALS_VALUE, MRN) },
        { { USE_EQUALS_VALUE, { PATIENT, MRN }, 0, LIT_INIT("MRN-" CODE), 7 } } },
      CHP_3113,
      REFUSED("equality") "patient.mrn is compared with a mask, and masks in conditions are not "
                          "available in this version; filter by a column that is not protected" },
    { ROLE_ANY, { SELECT, { USE(USE_PREDICATE, MRN) } }, CHP_NONE, NULL },
    { ROLE_ANY, { SELECT, { { USE_PREDICATE, { PG_STATISTIC, 1 }, 0, 0, 7 } } }, CHP_3111, NULL },
    /* Carried away */
    { ROLE_ADMIN,
      { UPDATE, { USE(USE_WRITTEN, CITY), USE(USE_CARRIED, MRN) } },
      CHP_3111,
      REFUSED("analyst") "the value of patient.mrn (masked: pseudonym) would be carried into "
                         "patient; leave the column out of the statement" },
    { ROLE_WRITER,
      { UPDATE, { USE(USE_WRITTEN, PHONE), USE(USE_CARRIED, CITY) } },
      CHP_3201,
      NULL },
    /* Written */
    { ROLE_WRITER,
      { UPDATE, { USE(USE_WRITTEN, PHONE) } },
      CHP_3201,
      "UPDATE on patient, column phone" },
    { ROLE_WRITER,
      { UPDATE,
        { USE(USE_WRITTEN, MRN), USE(USE_WRITTEN, PHONE), USE(USE_WRITTEN, CITY),
          USE(USE_WRITTEN, LAST_NAME) } },
      CHP_3201,
      "UPDATE on patient, columns mrn, phone, city and 1 more" },
    { ROLE_WRITER,
      { UPDATE, { USE(USE_WRITTEN, BIRTH_DATE) } },
      CHP_3112,
      REFUSED("analyst") "role writer sees patient.birth_date in part only (masked: year), so a "
                         "write could destroy it; leave patient.birth_date out of the statement" },
    { ROLE_WRITER, { UPDATE, { USE(USE_WRITTEN, ZIP) } }, CHP_3112, NULL },
    { ROLE_WRITER, { UPDATE, { USE(USE_WRITTEN, NOTES) } }, CHP_3112, NULL },
    { ROLE_WRITER,
      { INSERT, { USE(USE_WRITTEN, 0) } },
      CHP_3112,
      REFUSED("analyst") "role writer sees patient.birth_date in part only (masked: year), so a "
                         "write could destroy it; leave patient.birth_date out of the statement" },
    { ROLE_HOLD,
      { UPDATE, { USE(USE_WRITTEN, BIRTH_DATE) } },
      CHP_3201,
      "UPDATE on patient, column birth_date" },
    { ROLE_ADMIN, { UPDATE, { USE(USE_WRITTEN, BIRTH_DATE) } }, CHP_3201, NULL },
    { ROLE_ADMIN, { UPDATE, { { USE_WRITTEN, { PG_STATISTIC, 1 }, 0, 0, 7 } } }, CHP_3111, NULL },
    /* Masks that come back */
    { ROLE_WRITER,
      { UPDATE,
        { USE(USE_WRITTEN, PHONE) },
        { { USE_WRITTEN, { PATIENT, PHONE }, 0, LIT_INIT("\xE2\x96\x92\xE2\x96\x92"), 7 } } },
      CHP_3112,
      REFUSED("writer") "the new value of patient.phone is a mask, not the real value; leave the "
                        "column out of the statement, or give its real value" },
    { ROLE_WRITER,
      { UPDATE,
        { USE(USE_WRITTEN, CITY) },
        { { USE_WRITTEN, { PATIENT, CITY }, 0, LIT_INIT("MRN-" CODE), 7 } } },
      CHP_3112,
      NULL },
    { ROLE_WRITER,
      { .sql = "update patient set city = 'x' || 'MRN-" CODE "' where id = 1",
        STATEMENT_UPDATE,
        RW,
        PATIENT,
        true,
        { USE(USE_WRITTEN, CITY) } },
      CHP_3112,
      REFUSED("writer") "a mask stands in a statement that writes; leave it out, or give the real "
                        "value" },
    { ROLE_READER,
      { .sql = "select id from patient where city = 'MRN-" CODE "'",
        STATEMENT_SELECT,
        R,
        PATIENT,
        true },
      CHP_NONE,
      NULL },
};

static void every_use_is_judged_and_worded(void)
{
    size_t wrong = 0;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const Case *c = &CASES[i];
        Ehr e;

        ehr_begin(&e, c->role);
        const Verdict v = ehr_judge(&e, &c->scene);
        const MessageCode code = v.ruling == RULING_ALLOW ? CHP_NONE : v.fault.code;
        const char *says = code != CHP_NONE ? ehr_says(&e, &v) : "";

        if (code != c->code || (c->says != NULL && strcmp(says, c->says) != 0)) {
            fprintf(stderr, "case %zu: CHP-%d: %s\n", i, (int)code, says);
            wrong++;
        }
        if (v.ruling == RULING_DENY)
            EXPECT(strstr(says, "chaperone refused (rule ") == says && strstr(says, "; ") != NULL);
        EXPECT(v.ruling != RULING_DENY || v.fault.position > 0);
        ehr_done(&e);
    }
    EXPECT(wrong == 0);
}

static void positions_count_characters(void)
{
    const Scene scene = { .sql = "/*\xC3\xA4\xE2\x82\xAC*/ x",
                          STATEMENT_SELECT,
                          R,
                          PATIENT,
                          false,
                          { { USE_DERIVED, { PATIENT, MRN }, 0, 0, 10 } } };
    Ehr e;

    ehr_begin(&e, ROLE_READER);
    EXPECT(ehr_judge(&e, &scene).fault.position == 8);
    ehr_done(&e);
}

static const Scene BOUND = { .sql = "update patient set city = $1 where id = $2",
                             STATEMENT_UPDATE,
                             RW,
                             PATIENT,
                             true,
                             { USE(USE_WRITTEN, CITY) },
                             { { USE_WRITTEN, { PATIENT, CITY }, 1, { 0 }, 26 } } };

static void bound_values_are_looked_at(void)
{
    static const Value MASKED[] = { { .bytes = LIT_INIT("MRN-" CODE) },
                                    { .bytes = LIT_INIT("1") } };
    static const Value LOOSE[] = { { .bytes = LIT_INIT("Austin") },
                                   { .bytes = LIT_INIT("x \xE2\x96\x92") } };
    static const Value NUMBER[] = {
        { .is_null = true },
        { .bytes = LIT_INIT("\xE2\x96\x92\x01"), .binary = true, .type_oid = 23 }
    };
    static const Value TEXTS[] = {
        { .bytes = LIT_INIT("x") },
        { .bytes = LIT_INIT("\xE2\x96\x92"), .binary = true, .type_oid = 1043 }
    };
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    e.command.kind = COMMAND_PREPARE;
    EXPECT(ehr_judge(&e, &BOUND).ruling == RULING_ALLOW);
    e.command = (Command){ .kind = COMMAND_RUN, .values = MASKED, .value_count = 2 };
    Verdict v = ehr_judge(&e, &BOUND);
    EXPECT(v.fault.code == CHP_3112 && v.fault.position == 27);
    e.command.values = LOOSE;
    v = ehr_judge(&e, &BOUND);
    EXPECT(strcmp(ehr_says(&e, &v),
                  REFUSED("writer") "the value of parameter $2 is a mask, not a real value; leave "
                                    "it out, or give the real value") == 0);
    e.command.values = NUMBER;
    EXPECT(ehr_judge(&e, &BOUND).ruling == RULING_HOLD);
    e.command.values = TEXTS;
    EXPECT(ehr_judge(&e, &BOUND).fault.code == CHP_3112);
    ehr_done(&e);
}

static void code_we_cannot_see_into_returns_nothing(void)
{
    const Scene call = {
        .sql = "select f(id) from patient", STATEMENT_SELECT, R | EFFECT_OPAQUE, PATIENT, false
    };
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    const Verdict v = ehr_judge(&e, &call);
    EXPECT(strcmp(ehr_says(&e, &v),
                  REFUSED("analyst") "SELECT on patient returns what code computes that the "
                                     "gateway cannot see into; use PostgreSQL's own functions, or "
                                     "select columns directly") == 0);
    ehr_done(&e);
}

static void a_write_that_must_be_held_needs_a_rule(void)
{
    const Scene scene = { UPDATE, { USE(USE_WRITTEN, BIRTH_DATE) } };
    Ehr e;

    ehr_begin(&e, ROLE_HOLD);
    e.policy.approvals.count = 0;
    const Verdict v = ehr_judge(&e, &scene);
    EXPECT(v.ruling == RULING_DENY && v.fault.code == CHP_3112);
    EXPECT(strstr(ehr_says(&e, &v), "writing patient.birth_date needs an approval, and no approval "
                                    "rule covers it; leave the column out") != NULL);
    e.in.approved = true;
    EXPECT(ehr_judge(&e, &scene).ruling == RULING_ALLOW);
    ehr_done(&e);
}

static void names_cannot_forge_a_line(void)
{
    static Output output = { .kind = OUTPUT_COMPUTED, .name = LIT_INIT("a\nERROR: b") };
    const Scene scene = { SELECT, { USE(USE_DERIVED, MRN) } };
    Ehr e;

    ehr_begin(&e, ROLE_READER);
    (void)ehr_judge(&e, &scene);
    e.statements[0].outputs = &output;
    const Verdict v = policy_judge(&e.in);
    EXPECT(strstr(ehr_says(&e, &v), "output \"a?ERROR: b\"") != NULL);
    ehr_done(&e);
}

static void artefacts_are_known(void)
{
    static const struct {
        const char *text;
        bool artefact;
    } TEXTS[] = {
        { "\xE2\x96\x92", true },
        { "Smith \xE2\x96\x92\xE2\x96\x92\xE2\x96\x92", true },
        { "MRN-" CODE, true },
        { "see MRN-" CODE ".", true },
        { "A1-" CODE CODE CODE CODE, true },
        { "MRN-7F3A2CQ4W9T2K8P", false }, /* 15 characters */
        { "mrn-" CODE, false },
        { "TOOLONGPREFIX-" CODE, false },
        { "-" CODE, false },
        { "MRN-7F3A2CQ4W9T2K8PI0", false }, /* no I in Crockford's alphabet */
        { "MRN-" CODE "x", false },
        { "xMRN-" CODE, false },
        { "123e4567-e89b-12d3-a456-426614174000", false },
        { "555-0100", false },
        { "2024-01-01", false },
        { "", false },
    };

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        if (policy_is_artefact(text_of(TEXTS[i].text)) != TEXTS[i].artefact)
            fprintf(stderr, "%s\n", TEXTS[i].text);
        EXPECT(policy_is_artefact(text_of(TEXTS[i].text)) == TEXTS[i].artefact);
    }
    EXPECT(policy_find_artefact(LIT("see MRN-" CODE)) == 4);
}

int main(void)
{
    TEST(every_use_is_judged_and_worded);
    TEST(positions_count_characters);
    TEST(bound_values_are_looked_at);
    TEST(code_we_cannot_see_into_returns_nothing);
    TEST(a_write_that_must_be_held_needs_a_rule);
    TEST(names_cannot_forge_a_line);
    TEST(artefacts_are_known);
    return 0;
}
