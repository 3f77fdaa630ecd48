/* Order of evaluation, role allow, guardrails, settings, approvals, and the words of each. */
#include "base/text.h"
#include "ehr.h"
#include "model/limits.h"
#include "test.h"

#include <string.h>

#define R  EFFECT_READ
#define W  EFFECT_WRITE
#define RW (EFFECT_READ | EFFECT_WRITE)

/* What is refused, and in which words. */
typedef struct Case {
    size_t role;
    Scene scene;
    MessageCode code; /* CHP_NONE: allowed; CHP_3201: held */
    const char *says; /* the whole primary message */
    uint32_t position;
} Case;

#define REFUSED(rule) "chaperone refused (rule " rule ", d-test): "
#define AGAIN         "; the same statement will be refused again"
#define ASK           "; ask for a role that allows it"

static const Case CASES[] = {
    /* Role allow */
    { ROLE_READER,
      { .sql = "select city from patient", STATEMENT_SELECT, R, PATIENT },
      CHP_NONE,
      "",
      0 },
    { ROLE_READER, { .sql = "select 1", STATEMENT_SELECT, R, 0 }, CHP_NONE, "", 0 },
    { ROLE_READER, { .sql = "begin", STATEMENT_BEGIN, 0, 0 }, CHP_NONE, "", 0 },
    { ROLE_READER,
      { .sql = "update patient set phone = '1' where id = 1", STATEMENT_UPDATE, RW, PATIENT, true },
      CHP_3102,
      REFUSED(
          "reader") "UPDATE on patient needs write, which role reader does not allow on ehr" ASK,
      8 },
    { ROLE_READER,
      { .sql = "select f(1)", STATEMENT_SELECT, R | EFFECT_OPAQUE, 0 },
      CHP_3102,
      REFUSED("reader") "SELECT runs code the gateway cannot see into and needs write, which role "
                        "reader does not allow on ehr" ASK,
      1 },
    { ROLE_READER,
      { .sql = "select * from patient for update", STATEMENT_SELECT, R | EFFECT_LOCK, PATIENT },
      CHP_3102,
      REFUSED("reader") "SELECT on patient needs lock, which role reader does not allow on ehr" ASK,
      8 },
    { ROLE_WRITER,
      { .sql = "select city from patient for update", STATEMENT_SELECT, R | EFFECT_LOCK, PATIENT },
      CHP_NONE,
      "",
      0 },
    { ROLE_WRITER,
      { .sql = "notify x", STATEMENT_LISTEN, EFFECT_MSG, 0 },
      CHP_3102,
      REFUSED("writer") "LISTEN needs msg, which role writer does not allow on ehr" ASK,
      1 },
    { ROLE_WRITER,
      { .sql = "drop table patient", STATEMENT_OTHER, EFFECT_DDL, PATIENT },
      CHP_3102,
      REFUSED("writer") "statement with effect ddl on patient needs ddl, which role writer does "
                        "not allow on ehr" ASK,
      8 },
    { ROLE_WRITER,
      { .sql = "select pg_read_file('x')", STATEMENT_SELECT, R | EFFECT_FILE, 0 },
      CHP_3102,
      REFUSED("writer") "SELECT needs file, which role writer does not allow on ehr" ASK,
      1 },
    { ROLE_AGENT,
      { .sql = "select id from encounter", STATEMENT_SELECT, R, ENCOUNTER },
      CHP_3102,
      REFUSED(
          "triage") "SELECT on encounter: role triage allows read on other tables of ehr only" ASK,
      8 },
    { ROLE_AGENT,
      { .sql = "select relname from pg_class", STATEMENT_SELECT, R, PG_CLASS },
      CHP_NONE,
      "",
      0 },
    { ROLE_AGENT,
      { .sql = "do $$ $$", STATEMENT_DO, EFFECT_OPAQUE, 0 },
      CHP_3102,
      REFUSED("triage") "DO: role triage allows write on other tables of ehr only" ASK,
      1 },
    /* Not carried */
    { ROLE_ADMIN,
      { .sql = "copy patient to '/f'", STATEMENT_COPY_TO, R, PATIENT },
      CHP_5501,
      REFUSED("supported") "COPY TO a file or program of the server is not supported; use COPY … "
                           "TO STDOUT",
      1 },
    { ROLE_READER,
      { .sql = "copy patient from stdin", STATEMENT_COPY_FROM, W, PATIENT },
      CHP_3102,
      REFUSED(
          "reader") "COPY FROM on patient needs write, which role reader does not allow on ehr" ASK,
      8 },
    { ROLE_ADMIN,
      { .sql = "create subscription s", STATEMENT_OTHER, EFFECT_REPL, 0 },
      CHP_5501,
      REFUSED("supported") "replication is not supported through the gateway; connect to the "
                           "server itself",
      1 },
    /* Guardrails, before columns and approvals */
    { ROLE_WRITER,
      { .sql = "delete from encounter", STATEMENT_DELETE, W, ENCOUNTER },
      CHP_3101,
      REFUSED("no-unbounded-delete") "DELETE without WHERE on encounter; add a WHERE clause" AGAIN,
      1 },
    { ROLE_WRITER,
      { .sql = "update patient set zip = '1'",
        STATEMENT_UPDATE,
        W,
        PATIENT,
        false,
        { { USE_WRITTEN, { PATIENT, ZIP }, 0, 0, 19 } } },
      CHP_3101,
      REFUSED("no-unbounded-delete") "UPDATE without WHERE on patient, column zip; add a WHERE "
                                     "clause" AGAIN,
      1 },
    { ROLE_ADMIN,
      { .sql = "drop table patient", STATEMENT_OTHER, EFFECT_DDL, PATIENT },
      CHP_3101,
      REFUSED("no-ddl") "statement with effect ddl on patient" AGAIN,
      1 },
    /* Approvals */
    { ROLE_WRITER,
      { .sql = "update patient set phone = '1' where id = 1",
        STATEMENT_UPDATE,
        RW,
        PATIENT,
        true,
        { { USE_WRITTEN, { PATIENT, PHONE }, 0, 0, 19 } } },
      CHP_3201,
      "UPDATE on patient, column phone",
      1 },
    { ROLE_WRITER,
      { .sql = "delete from encounter where id = 1", STATEMENT_DELETE, RW, ENCOUNTER, true },
      CHP_3201,
      "DELETE on encounter",
      1 },
    { ROLE_WRITER, { .sql = "call p()", STATEMENT_DO, EFFECT_OPAQUE, 0 }, CHP_3201, "DO", 1 },
    { ROLE_WRITER,
      { .sql = "prepare x as delete from encounter where id = 1",
        STATEMENT_PREPARE,
        W,
        ENCOUNTER,
        true },
      CHP_NONE,
      "",
      0 },
    /* Purpose comes last before the approval */
    { ROLE_PURPOSE,
      { .sql = "select city from patient", STATEMENT_SELECT, R, PATIENT },
      CHP_3401,
      REFUSED("purpose") "role purpose needs a purpose of use before it touches data; set "
                         "chaperone.purpose = 'treatment'",
      0 },
    { ROLE_PURPOSE,
      { .sql = "delete from encounter", STATEMENT_DELETE, W, ENCOUNTER },
      CHP_3101,
      REFUSED("no-unbounded-delete") "DELETE without WHERE on encounter; add a WHERE clause" AGAIN,
      1 },
    { ROLE_PURPOSE,
      { .sql = "delete from encounter where id = 1", STATEMENT_DELETE, W, ENCOUNTER, true },
      CHP_3401,
      REFUSED("purpose") "role purpose needs a purpose of use before it touches data; set "
                         "chaperone.purpose = 'treatment'",
      0 },
    { ROLE_PURPOSE,
      { .sql = "select relname from pg_class", STATEMENT_SELECT, R, PG_CLASS },
      CHP_NONE,
      "",
      0 },
    { ROLE_PURPOSE, { .sql = "select 1", STATEMENT_SELECT, R, 0 }, CHP_NONE, "", 0 },
    /* Not known */
    { ROLE_ADMIN,
      { .sql = "whatever", STATEMENT_OTHER, 0, 0 },
      CHP_3103,
      REFUSED("understood") "this kind of statement is not known to the gateway; what is not "
                            "understood is not forwarded; rewrite the statement",
      1 },
};

static MessageCode outcome(const Verdict *v)
{
    return v->ruling == RULING_ALLOW ? CHP_NONE : v->fault.code;
}

static void every_case_is_judged_and_worded(void)
{
    size_t wrong = 0;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const Case *c = &CASES[i];
        Ehr e;

        ehr_begin(&e, c->role);
        const Verdict v = ehr_judge(&e, &c->scene);
        const bool held = v.ruling == RULING_HOLD;
        const char *says = outcome(&v) == CHP_NONE ? "" : ehr_says(&e, &v);

        if (outcome(&v) != c->code || held != (c->code == CHP_3201) || strcmp(says, c->says) != 0 ||
            v.fault.position != c->position) {
            fprintf(stderr, "%s\n  CHP-%d at %u: %s\n", c->scene.sql, (int)outcome(&v),
                    v.fault.position, says);
            wrong++;
        }
        EXPECT(v.rule.len > 0);
        ehr_done(&e);
    }
    EXPECT(wrong == 0);
}

static void nobody_and_no_role_get_nothing(void)
{
    const Scene scene = { .sql = "select 1", STATEMENT_SELECT, R, 0 };
    Ehr e;

    ehr_begin(&e, ROLE_READER);
    e.in.role = NULL;
    e.meaning.understood = false;
    Verdict v = ehr_judge(&e, &scene);
    EXPECT(v.ruling == RULING_DENY && v.fault.code == CHP_3102);
    EXPECT(strcmp(ehr_says(&e, &v),
                  REFUSED("no-role") "no role gives dana access to ehr; ask the "
                                     "administrator for a role that names it") == 0);
    e.in.role = &EHR_ROLES[ROLE_ADMIN];
    e.identity.kind = IDENTITY_NOBODY;
    EXPECT(ehr_judge(&e, &scene).fault.code == CHP_3102);
    EXPECT(policy_judge(&(Judgement){ 0 }).ruling == RULING_DENY);
    ehr_done(&e);
}

static void what_is_not_understood_is_refused(void)
{
    static const SchemaName UNKNOWN[] = { { { 0 }, LIT_INIT("pateint") } };
    Ehr e;

    ehr_begin(&e, ROLE_ADMIN);
    e.command.text = LIT("/* \xC3\xA4 */ selec 1");
    e.meaning = (Meaning){ .why_not = "syntax error at or near \"selec\"", .why_not_position = 9 };
    Verdict v = policy_judge(&e.in);
    EXPECT(v.fault.code == CHP_3103 && v.fault.position == 9); /* ä is one character */
    EXPECT(
        strcmp(
            ehr_says(&e, &v),
            REFUSED(
                "understood") "statement not understood: syntax error at or near \"selec\"; what "
                              "is not understood is not forwarded; rewrite the statement") == 0);
    e.command.text = LIT("/* \xC3\xA4 */ table pateint");
    e.meaning = (Meaning){ .why_not = "a relation is not known",
                           .unknown = UNKNOWN,
                           .unknown_count = 1,
                           .unknown_position = 15 };
    v = policy_judge(&e.in);
    EXPECT(v.fault.code == CHP_3103 && v.fault.position == 15);
    EXPECT(
        strcmp(ehr_says(&e, &v),
               REFUSED("understood") "pateint is not in the catalogue as the gateway knows it; "
                                     "check the name; if it was just made, commit and try again") ==
        0);
    e.meaning = (Meaning){ .understood = true };
    EXPECT(policy_judge(&e.in).ruling == RULING_ALLOW); /* an empty query */
    ehr_done(&e);
}

typedef struct Setting {
    StatementKind kind;
    const char *name, *value; /* NULL: not a literal */
    bool refused, set_local, in_transaction;
} Setting;

static const Setting SETTINGS[] = {
    { STATEMENT_SET, "timezone", "UTC", false, false, false },
    { STATEMENT_SET, "application_name", NULL, false, false, false },
    { STATEMENT_SET, "enable_seqscan", "off", false, false, false },
    { STATEMENT_SET, "transaction_isolation", "serializable", false, false, true },
    { STATEMENT_SET, "client_encoding", "UTF8", false, false, false },
    { STATEMENT_SET, "client_encoding", "utf-8", false, false, false },
    { STATEMENT_SET, "client_encoding", "SJIS", true, false, false },
    { STATEMENT_SET, "names", "LATIN1", true, false, false },
    { STATEMENT_RESET, "client_encoding", NULL, true, false, false },
    { STATEMENT_SET, "standard_conforming_strings", "on", false, false, false },
    { STATEMENT_SET, "standard_conforming_strings", "off", true, false, false },
    { STATEMENT_SET, "standard_conforming_strings", NULL, true, false, false },
    { STATEMENT_SET, "search_path", "public", false, false, false },
    { STATEMENT_SET, "search_path", NULL, true, false, false },
    { STATEMENT_SET, "search_path", "public", true, true, false },
    { STATEMENT_SET, "search_path", "public", true, false, true },
    { STATEMENT_RESET, "search_path", NULL, false, false, false },
    { STATEMENT_RESET, "search_path", NULL, true, false, true },
    { STATEMENT_SET, "role", "postgres", true, false, false },
    { STATEMENT_SET, "session_authorization", "postgres", true, false, false },
    { STATEMENT_SET, "session_preload_libraries", "x", true, false, false },
    { STATEMENT_SET, "row_security", "off", true, false, false },
    { STATEMENT_SET, "my.secret", "x", true, false, false },
    { STATEMENT_SET, "", "x", true, false, false },
    { STATEMENT_SET, "chaperone.purpose", "treatment", false, false, false },
    { STATEMENT_RESET, "timezone", NULL, false, false, false },
    { STATEMENT_RESET, "all", NULL, false, false, false },
    { STATEMENT_RESET, "all", NULL, true, false, true },
    { STATEMENT_RESET, "role", NULL, true, false, false },
    { STATEMENT_SHOW, "server_version", NULL, false, false, false },
    { STATEMENT_SHOW, "chaperone.masked", NULL, false, false, false },
    { STATEMENT_SHOW, "all", NULL, true, false, false },
    { STATEMENT_SHOW, "hba_file", NULL, true, false, false },
    { STATEMENT_SHOW, "my.secret", NULL, true, false, false },
    { STATEMENT_DISCARD, "all", NULL, false, false, false },
    { STATEMENT_DISCARD, "all", NULL, true, false, true },
    { STATEMENT_DISCARD, "plans", NULL, false, false, false },
};

static Verdict judge_setting(Ehr *e, const Setting *s, size_t statements)
{
    ehr_begin(e, ROLE_READER);
    e->in.in_transaction = s->in_transaction;
    e->statements[0] = (Statement){ .kind = s->kind,
                                    .name = text_of(s->name),
                                    .value = text_of(s->value),
                                    .value_known = s->value != NULL,
                                    .set_local = s->set_local };
    e->statements[1] = (Statement){ .kind = STATEMENT_COMMIT };
    e->meaning =
        (Meaning){ .understood = true, .statements = e->statements, .statement_count = statements };
    return policy_judge(&e->in);
}

static void settings_are_an_allow_list(void)
{
    for (size_t i = 0; i < COUNT_OF(SETTINGS); i++) {
        Ehr e;
        const Verdict v = judge_setting(&e, &SETTINGS[i], 1);

        if ((v.ruling == RULING_DENY) != SETTINGS[i].refused)
            fprintf(stderr, "%s %s\n", statement_kind_name(SETTINGS[i].kind), SETTINGS[i].name);
        EXPECT((v.ruling == RULING_DENY) == SETTINGS[i].refused);
        EXPECT(v.ruling == RULING_ALLOW || v.fault.code == CHP_3104);
        ehr_done(&e);
    }
}

static void some_settings_stand_alone(void)
{
    static const Setting ALONE[] = {
        { STATEMENT_SET, "search_path", "public", true, false, false },
        { STATEMENT_SET, "chaperone.purpose", "treatment", true, false, false },
        { STATEMENT_SHOW, "chaperone.masked", NULL, true, false, false },
    };

    for (size_t i = 0; i < COUNT_OF(ALONE); i++) {
        Ehr e;
        const Verdict v = judge_setting(&e, &ALONE[i], 2);

        EXPECT(v.ruling == RULING_DENY && v.fault.code == CHP_3104);
        EXPECT(strstr(ehr_says(&e, &v), "only as the one statement of its message; send it alone, "
                                        "outside a transaction, with plain literals") != NULL);
        ehr_done(&e);
    }
}

/* DISCARD ALL and RESET ALL put search_path back: nothing in their message may be read behind it,
 * nor in their transaction. */
static void all_settings_go_back_at_the_end(void)
{
    static const struct {
        StatementKind before[2];
        bool chain, in_transaction, refused;
    } TALKS[] = {
        { { STATEMENT_SELECT, STATEMENT_CLOSE }, false, false, false },
        { { STATEMENT_ROLLBACK, STATEMENT_SELECT }, false, true, false },
        { { STATEMENT_ROLLBACK, STATEMENT_SELECT }, true, true, true },
        { { STATEMENT_SELECT, STATEMENT_SELECT }, false, true, true },
        { { STATEMENT_SELECT, STATEMENT_BEGIN }, false, false, true },
        { { STATEMENT_COMMIT, STATEMENT_BEGIN }, false, true, true },
    };

    for (size_t i = 0; i < 2 * COUNT_OF(TALKS); i++) {
        const size_t n = i / 2;
        Ehr e;

        ehr_begin(&e, ROLE_READER);
        e.in.in_transaction = TALKS[n].in_transaction;
        e.statements[0] = (Statement){ .kind = TALKS[n].before[0], .chain = TALKS[n].chain };
        e.statements[1] = (Statement){ .kind = TALKS[n].before[1] };
        e.statements[2] =
            (Statement){ .kind = i % 2 ? STATEMENT_RESET : STATEMENT_DISCARD, .name = LIT("all") };
        e.meaning =
            (Meaning){ .understood = true, .statements = e.statements, .statement_count = 3 };
        EXPECT((policy_judge(&e.in).ruling == RULING_DENY) == TALKS[n].refused);
        e.statements[3] = e.statements[1];
        e.meaning.statement_count = 4;
        EXPECT(policy_judge(&e.in).ruling == RULING_DENY);
        ehr_done(&e);
    }
}

static const Scene DELETE_ONE = {
    .sql = "delete from encounter where id = 1", STATEMENT_DELETE, RW, ENCOUNTER, true
};

static void a_hold_says_how_to_wait(void)
{
    Approval rule;
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    Verdict v = ehr_judge(&e, &DELETE_ONE);
    EXPECT(v.ruling == RULING_HOLD && text_eq(v.rule, LIT("writes-on-phi")));
    EXPECT(text_eq(v.hold.group, LIT("privacy-office")) && v.hold.count == 1);
    EXPECT(v.hold.hold_ms == 600000 && v.hold.valid_ms == 900000 && !v.hold.ticket);
    e.identity.kind = IDENTITY_AGENT;
    EXPECT(ehr_judge(&e, &DELETE_ONE).hold.ticket);
    rule = e.policy.approvals.at[0];
    e.policy.approvals.at = &rule;
    rule.hold_ms = 5000;
    rule.wait = WAIT_HOLD;
    v = ehr_judge(&e, &DELETE_ONE);
    EXPECT(!v.hold.ticket && v.hold.hold_ms == 5000);
    rule.wait = WAIT_TICKET;
    e.identity.kind = IDENTITY_HUMAN;
    EXPECT(ehr_judge(&e, &DELETE_ONE).hold.ticket);
    ehr_done(&e);
}

static void an_approval_is_consumed_but_the_rest_is_judged_again(void)
{
    const Scene unbounded = {
        .sql = "delete from encounter", STATEMENT_DELETE, W, ENCOUNTER, false
    };
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    e.in.approved = true;
    const Verdict v = ehr_judge(&e, &DELETE_ONE);
    EXPECT(v.ruling == RULING_ALLOW && text_eq(v.rule, LIT("writer")));
    EXPECT(ehr_judge(&e, &unbounded).fault.code == CHP_3101);
    ehr_done(&e);
}

static void parse_and_execute_again_do_not_wait(void)
{
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    e.command.kind = COMMAND_PREPARE;
    EXPECT(ehr_judge(&e, &DELETE_ONE).ruling == RULING_ALLOW);
    e.command.kind = COMMAND_RESUME;
    EXPECT(ehr_judge(&e, &DELETE_ONE).ruling == RULING_ALLOW);
    e.command.kind = COMMAND_RUN;
    EXPECT(ehr_judge(&e, &DELETE_ONE).ruling == RULING_HOLD);
    ehr_done(&e);
}

static void what_nobody_could_approve_is_refused(void)
{
    static const bool NOBODY[] = { false };
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    e.in.approvers_exist = NOBODY;
    const Verdict v = ehr_judge(&e, &DELETE_ONE);
    EXPECT(strcmp(ehr_says(&e, &v),
                  REFUSED("writes-on-phi") "DELETE on encounter needs an approval that nobody in "
                                           "privacy-office could give; tell the administrator") ==
           0);
    ehr_done(&e);
}

static void what_nobody_would_read_is_not_held(void)
{
    static char text[LIMIT_HELD_TEXT + 2];
    Scene scene = DELETE_ONE;
    Ehr e;

    memset(text, ' ', sizeof text - 1);
    scene.sql = text;
    ehr_begin(&e, ROLE_WRITER);
    const Verdict v = ehr_judge(&e, &scene);
    EXPECT(v.ruling == RULING_DENY && v.fault.code == CHP_3202);
    EXPECT(strstr(ehr_says(&e, &v),
                  "64 KiB that a person is asked to read; send it in smaller statements") != NULL);
    ehr_done(&e);
}

static void the_first_role_in_the_file_is_the_session_s(void)
{
    static const Bytes GROUPS[] = { LIT_INIT("local/privacy") };
    const Identity pat = {
        .kind = IDENTITY_HUMAN, .name = LIT("pat"), .groups = GROUPS, .group_count = 1
    };
    const Identity robot = {
        .kind = IDENTITY_AGENT, .name = LIT("pat"), .groups = GROUPS, .group_count = 1
    };
    const Identity nobody = { .name = LIT("dana") };
    const Resource other = { .name = LIT("billing") };
    Ehr e;

    ehr_begin(&e, ROLE_READER);
    const Role *role = policy_role(&e.policy, &e.identity, e.in.resource);
    EXPECT(role != NULL && text_eq(role->name, LIT("reader")));
    EXPECT(policy_role(&e.policy, &e.identity, &other) == NULL);
    EXPECT(policy_role(&e.policy, &pat, e.in.resource) == NULL); /* reviews, and so does not use */
    EXPECT(policy_role(&e.policy, &nobody, e.in.resource) == NULL);
    EXPECT(policy_may_approve(&e.policy, LIT("privacy-office"), &pat));
    EXPECT(policy_may_approve(&e.policy, LIT("local/privacy"), &pat));
    EXPECT(!policy_may_approve(&e.policy, LIT("privacy-office"), &robot));
    EXPECT(!policy_may_approve(&e.policy, LIT("privacy-office"), &e.identity));
    EXPECT(policy_may_review(&e.policy, &pat, e.in.resource));
    EXPECT(!policy_may_review(&e.policy, &pat, &other));
    EXPECT(policy_may_read_evidence(&e.policy, &pat));
    EXPECT(!policy_may_read_evidence(&e.policy, &e.identity));
    ehr_done(&e);
}

static void patterns_are_read_strictly(void)
{
    static const struct {
        const char *text;
        bool columns, ok;
    } PATTERNS[] = {
        { "patient", false, true }, { "public.patient", false, true },
        { "*", false, true },       { "a.b.c", false, false },
        { "", false, false },       { "a.", false, false },
        { "a*", false, false },     { "patient.ssn", true, true },
        { "a.b.c", true, true },    { "*.*.*", true, true },
        { "ssn", true, false },     { "a.b.c.d", true, false },
        { "a. b", true, false },    { "a..c", true, false },
        { "**.a", true, false },
    };
    NamePattern p;

    for (size_t i = 0; i < COUNT_OF(PATTERNS); i++)
        EXPECT((pattern_parse(text_of(PATTERNS[i].text), PATTERNS[i].columns, &p) == OK) ==
               PATTERNS[i].ok);
}

static void without_memory_it_still_rules(void)
{
    const Scene scene = { .sql = "delete from encounter", STATEMENT_DELETE, W, ENCOUNTER, false };
    Arena none;
    Ehr e;

    ehr_begin(&e, ROLE_WRITER);
    arena_init(&none, 0);
    e.in.arena = &none;
    const Verdict v = ehr_judge(&e, &scene);
    EXPECT(v.ruling == RULING_DENY && v.fault.code == CHP_3101);
    EXPECT(strcmp(ehr_says(&e, &v),
                  REFUSED("no-unbounded-delete") "blocked by rule; add a WHERE clause" AGAIN) == 0);
    ehr_done(&e);
}

int main(void)
{
    TEST(every_case_is_judged_and_worded);
    TEST(nobody_and_no_role_get_nothing);
    TEST(what_is_not_understood_is_refused);
    TEST(settings_are_an_allow_list);
    TEST(some_settings_stand_alone);
    TEST(all_settings_go_back_at_the_end);
    TEST(a_hold_says_how_to_wait);
    TEST(an_approval_is_consumed_but_the_rest_is_judged_again);
    TEST(parse_and_execute_again_do_not_wait);
    TEST(what_nobody_could_approve_is_refused);
    TEST(what_nobody_would_read_is_not_held);
    TEST(the_first_role_in_the_file_is_the_session_s);
    TEST(patterns_are_read_strictly);
    TEST(without_memory_it_still_rules);
    return 0;
}
