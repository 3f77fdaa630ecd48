/* Verifying the journal's folder as it lies on disk, without the gateway: see keeper/ledger.h for
 * what is in it, chaperone-journal(5) for the formats. */
#ifndef EVIDENCE_AUDIT_FILES_H
#define EVIDENCE_AUDIT_FILES_H

#include "journal/audit_verify.h"
#include "model/id.h"

typedef struct AuditFiles {
    const char *journal;
    Bytes
        public_key; /* as C2SP signed-note writes it; empty: the folder's own, which proves less */
    const Id *live; /* sessions that are known to be open */
    size_t live_count;
    const Bytes *anchors; /* checkpoints that left the administrator's control */
    size_t anchor_count;
    AuditFound found; /* each finding, as it is found */
    void *ctx;
} AuditFiles;

/* ERR_IO: the folder cannot be read (*ret_what says what). ERR_MALFORMED: no usable key. */
Err audit_files_verify(const AuditFiles *files, AuditVerdict *ret,
                       const char **ret_what) MUST_CHECK;

/* Ids of the segments in the folder, ascending. */
typedef struct SegmentIds {
    uint64_t *at; /* lives in the arena */
    size_t count;
} SegmentIds;

Err audit_files_list(const char *journal, Arena *a, SegmentIds *ret) MUST_CHECK;

typedef struct AuditFilePath {
    char text[4096];
} AuditFilePath;

AuditFilePath audit_segment_path(const char *journal, uint64_t id);

#endif
