/* A session as its records tell it: each statement, the verdict, and what the client saw. */
#ifndef EVIDENCE_REPLAY_H
#define EVIDENCE_REPLAY_H

#include "evidence/pg_screen.h"

typedef struct ReplayRecord {
    Bytes type; /* "command", as leaf_type_name() says */
    uint64_t time_ns;
    bool shredded;
    Bytes payload; /* plain */
} ReplayRecord;

typedef struct Replay {
    PgScreen screen;
    bool times; /* each entry with its time of day */
} Replay;

Err replay_init(Replay *r) MUST_CHECK;
void replay_done(Replay *r);
/* Records of one session, in order; appends text for a terminal. */
Err replay_record(Replay *r, const ReplayRecord *record, Buf *out) MUST_CHECK;

/* "2026-11-23 14:29:38.725" UTC; 24 bytes with the NUL. */
void replay_time(uint64_t unix_ns, char ret[24]);

#endif
