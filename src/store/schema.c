#include "store/schema.h"

/* Each step ends by saying the version it leads to. Times are nanoseconds since 1970; 0: never, or
 * not yet. Ids are 16 bytes. */
#define STEP_1                                                                                     \
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"                       \
    "CREATE TABLE user (name TEXT PRIMARY KEY, kind INTEGER NOT NULL, owner TEXT NOT NULL,"        \
    " purpose TEXT NOT NULL, expires INTEGER NOT NULL, disabled INTEGER NOT NULL,"                 \
    " salt BLOB NOT NULL, rounds INTEGER NOT NULL, credential_issued_by TEXT NOT NULL,"            \
    " created_by TEXT NOT NULL, created INTEGER NOT NULL) STRICT;"                                 \
    "CREATE TABLE verifier (id BLOB PRIMARY KEY,"                                                  \
    " user TEXT NOT NULL REFERENCES user ON DELETE CASCADE, kind INTEGER NOT NULL,"                \
    " stored_key BLOB NOT NULL, server_key BLOB NOT NULL, lookup BLOB NOT NULL,"                   \
    " text TEXT NOT NULL, expires INTEGER NOT NULL, issued_by TEXT NOT NULL,"                      \
    " created INTEGER NOT NULL, revoked INTEGER NOT NULL) STRICT;"                                 \
    "CREATE INDEX verifier_user ON verifier (user);"                                               \
    "CREATE UNIQUE INDEX verifier_text ON verifier (text);"                                        \
    "CREATE INDEX verifier_lookup ON verifier (lookup);"                                           \
    "CREATE TABLE group_member (user TEXT NOT NULL REFERENCES user ON DELETE CASCADE,"             \
    " name TEXT NOT NULL, PRIMARY KEY (user, name)) STRICT;"                                       \
    "CREATE TABLE request (id BLOB PRIMARY KEY, text TEXT NOT NULL UNIQUE,"                        \
    " session BLOB NOT NULL, writer BLOB NOT NULL, caller TEXT NOT NULL,"                          \
    " caller_kind INTEGER NOT NULL, resource TEXT NOT NULL, rule TEXT NOT NULL,"                   \
    " role TEXT NOT NULL, fact TEXT NOT NULL, decision TEXT NOT NULL,"                             \
    " asked_group TEXT NOT NULL, sealed BLOB NOT NULL, unit BLOB NOT NULL,"                        \
    " count INTEGER NOT NULL, state INTEGER NOT NULL, ticket INTEGER NOT NULL,"                    \
    " check_word TEXT NOT NULL, created INTEGER NOT NULL, deadline INTEGER NOT NULL,"              \
    " valid_ms INTEGER NOT NULL, valid_until INTEGER NOT NULL, answered INTEGER NOT NULL,"         \
    " who TEXT NOT NULL, why TEXT NOT NULL, leaf BLOB NOT NULL) STRICT;"                           \
    "CREATE INDEX request_unit ON request (caller, unit);"                                         \
    "CREATE INDEX request_state ON request (state);"                                               \
    "CREATE TABLE request_answer (request BLOB NOT NULL REFERENCES request,"                       \
    " who TEXT NOT NULL, said INTEGER NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,"        \
    " PRIMARY KEY (request, who)) STRICT;"                                                         \
    "CREATE TABLE session (id BLOB PRIMARY KEY, text TEXT NOT NULL UNIQUE,"                        \
    " writer BLOB NOT NULL, user TEXT NOT NULL, kind INTEGER NOT NULL,"                            \
    " resource TEXT NOT NULL, peer TEXT NOT NULL, application TEXT NOT NULL,"                      \
    " purpose TEXT NOT NULL, credential BLOB NOT NULL, audit_key BLOB NOT NULL,"                   \
    " content_key BLOB NOT NULL, first_segment INTEGER NOT NULL, started INTEGER NOT NULL,"        \
    " ended INTEGER NOT NULL, reason TEXT NOT NULL, statements INTEGER NOT NULL) STRICT;"          \
    "CREATE INDEX session_live ON session (writer) WHERE ended = 0;"                               \
    "CREATE INDEX session_started ON session (started);"                                           \
    "CREATE TABLE record_key (id BLOB PRIMARY KEY, wrapped BLOB NOT NULL,"                         \
    " session BLOB NOT NULL, content INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;"          \
    "CREATE TABLE segment (id INTEGER PRIMARY KEY, writer BLOB NOT NULL,"                          \
    " keeper INTEGER NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL,"                  \
    " length INTEGER NOT NULL, count INTEGER NOT NULL, last BLOB NOT NULL,"                        \
    " log_start INTEGER NOT NULL) STRICT;"                                                         \
    "CREATE INDEX segment_open ON segment (state) WHERE state = 0;"                                \
    "CREATE INDEX segment_writer ON segment (writer);"                                             \
    "CREATE TABLE checkpoint (size INTEGER NOT NULL, created INTEGER NOT NULL,"                    \
    " note TEXT NOT NULL, PRIMARY KEY (size, created)) STRICT;"                                    \
    "PRAGMA user_version = 1;"

/* Hours and days since 1970, the latest of each; `recorded` of a session is its part of them. */
#define STEP_2                                                                                     \
    "ALTER TABLE session ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;"                          \
    "CREATE TABLE recorded (user TEXT NOT NULL, resource TEXT NOT NULL,"                           \
    " hour INTEGER NOT NULL, hour_bytes INTEGER NOT NULL, day INTEGER NOT NULL,"                   \
    " day_bytes INTEGER NOT NULL, PRIMARY KEY (user, resource)) STRICT;"                           \
    "PRAGMA user_version = 2;"

/* Which of the target's servers a session is on, "10.0.0.7:5432". */
#define STEP_3                                                                                     \
    "ALTER TABLE session ADD COLUMN server TEXT NOT NULL DEFAULT '';"                              \
    "PRAGMA user_version = 3;"

/* The client certificate that a session was opened with; empty: none. */
#define STEP_4                                                                                     \
    "ALTER TABLE session ADD COLUMN certificate_subject TEXT NOT NULL DEFAULT '';"                 \
    "ALTER TABLE session ADD COLUMN certificate_sha256 TEXT NOT NULL DEFAULT '';"                  \
    "PRAGMA user_version = 4;"

const char *const STORE_MIGRATIONS[STORE_SCHEMA_VERSION] = { STEP_1, STEP_2, STEP_3, STEP_4 };
