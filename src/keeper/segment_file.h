/* Segment files in the journal's folder: made, read again, cut. Named after their id. */
#ifndef KEEPER_SEGMENT_FILE_H
#define KEEPER_SEGMENT_FILE_H

#include "base/buf.h"
#include "journal/segment.h"

enum {
    SEGMENT_BYTES = 64 << 20, /* reserved for each, and its usual end */
    SEGMENT_PATH_MAX = 4096,
    LOG_ENTRY = 8 + HASH_BYTES, /* in the log: segment id, leaf hash */
};

typedef struct SegmentPath {
    char text[SEGMENT_PATH_MAX];
} SegmentPath;

/* <journal>/<16 hex digits>.seg */
SegmentPath segment_path(const char *journal, uint64_t id);
/* A new, empty file, open for append, its blocks reserved, its name on disk. */
Err segment_file_create(const char *journal, uint64_t id, int *ret_fd) MUST_CHECK;

/* What a segment turned out to hold. */
typedef struct SegmentReading {
    SegmentStep step; /* as segment_survey_next() says */
    Seal seal;
    Buf log; /* one entry for each record, ready for the log; of no use when broken */
} SegmentReading;

/* As it is now, whoever may write it. */
Err segment_file_look(const char *path, uint64_t id, SegmentReading *ret) MUST_CHECK;
/* The same, and everything is on disk when this returns. Blocks; may run on any thread. */
Err segment_file_read(const char *path, uint64_t id, SegmentReading *ret) MUST_CHECK;
void segment_reading_done(SegmentReading *r);

#endif
