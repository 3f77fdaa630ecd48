/* What the verifier remembers between segments; internal to audit_verify.
 *
 * Three tables keyed by 16 bytes, in the verifier's arena. Closed sessions are given back, so the
 * arena grows with what is open, not with what was seen. */
#ifndef JOURNAL_AUDIT_STATE_H
#define JOURNAL_AUDIT_STATE_H

#include "journal/audit_verify.h"

enum { AUDIT_BUCKETS = 4096 };

/* First member of everything that lies in a table. */
typedef struct AuditNode {
    struct AuditNode *next;
    uint8_t id[LEAF_ID];
} AuditNode;

typedef struct AuditTable {
    AuditNode *buckets[AUDIT_BUCKETS];
} AuditTable;

typedef struct WriterState {
    AuditNode node;
    bool known, torn, recovered;
    uint64_t next_seq, segment; /* the last segment walked */
    uint64_t torn_segment, torn_at;
    Hash last;
} WriterState;

typedef struct SegmentState {
    AuditNode node;
    bool sealed, seen;
    Seal seal;
    uint64_t logged;   /* how many of its records the log has */
    Hasher log_hashes; /* over their leaf hashes, in order */
} SegmentState;

/* Records of a session that follow each other. One run, unless its writers' segments are walked
 * in another order than they were written, or something is missing. */
typedef struct SessionRun {
    struct SessionRun *next;
    uint32_t first, last;
    Hash before, last_hash; /* session_prev of the first, leaf hash of the last */
    bool ended;
    uint64_t segment, offset, seq; /* of the last record */
} SessionRun;

typedef struct SessionState {
    AuditNode node;
    bool live;
    SessionRun *runs;
} SessionState;

typedef struct PendingCheckpoint {
    struct PendingCheckpoint *next; /* ascending size */
    MerkleHead head;
} PendingCheckpoint;

struct AuditState {
    AuditTable writers, segments, sessions;
    SessionState *free_sessions;
    SessionRun *free_runs;
    PendingCheckpoint *pending, *free_pending;
    MerkleRange log;
    uint64_t last_segment; /* id of the last one walked */
    bool walked;
};

/* The node with this id, made zeroed if there is none. */
Err audit_writer(AuditVerify *v, const uint8_t *id, WriterState **ret) MUST_CHECK;
Err audit_segment(AuditVerify *v, uint64_t segment, SegmentState **ret) MUST_CHECK;
Err audit_session(AuditVerify *v, const uint8_t *id, SessionState **ret) MUST_CHECK;
Err audit_run(AuditVerify *v, SessionState *s, SessionRun **ret) MUST_CHECK;
Err audit_pending(AuditVerify *v, const MerkleHead *head) MUST_CHECK;

/* Back to the free lists. */
void audit_session_forget(AuditVerify *v, SessionState *s);
void audit_run_forget(AuditVerify *v, SessionState *s, SessionRun *run);
void audit_pending_forget(AuditVerify *v);

/* Follows one chained record; reports what is wrong with it. */
Err audit_session_record(AuditVerify *v, const SegmentFrame *f) MUST_CHECK;
/* What is open or in pieces when everything was walked. */
void audit_session_census(AuditVerify *v);

void audit_report(AuditVerify *v, AuditFinding finding);

#endif
