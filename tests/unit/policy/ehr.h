/* A small hospital for the tests of judge(): one policy, one schema, meanings made by hand. */
#ifndef EHR_H
#define EHR_H

#include "policy/judge.h"

enum { PATIENT = 100, ENCOUNTER = 101, PG_CLASS = 1259, PG_STATISTIC = 2619 };
/* Columns of patient. */
enum { ID = 1, MRN, LAST_NAME, BIRTH_DATE, ZIP, PHONE, CITY, NOTES };

enum {
    ROLE_READER,
    ROLE_WRITER,
    ROLE_AGENT,
    ROLE_ADMIN,
    ROLE_TOKEN,
    ROLE_EQUALITY,
    ROLE_ANY,
    ROLE_HOLD,
    ROLE_PURPOSE,
    ROLE_COUNT
};
extern const Role EHR_ROLES[ROLE_COUNT];

/* One statement on one table, with up to four column uses. */
typedef struct Scene {
    const char *sql;
    StatementKind kind;
    unsigned effects;
    uint32_t table; /* 0: none */
    bool has_where;
    ColumnUse uses[4];
    ValueUse values[2];
} Scene;

typedef struct Ehr {
    Arena arena;
    Role roles[ROLE_COUNT + 1];
    Policy policy;
    Schema schema;
    Identity identity;
    Judgement in;
    Command command;
    Meaning meaning;
    Statement statements[4];
    RelationUse relation;
    Output output;
} Ehr;

/* `role`: index into the policy's roles. */
void ehr_begin(Ehr *e, size_t role);
void ehr_done(Ehr *e);
Verdict ehr_judge(Ehr *e, const Scene *scene);
/* The primary message, NUL-terminated, with id d-test; lives until ehr_done(). */
const char *ehr_says(Ehr *e, const Verdict *v);

#endif
