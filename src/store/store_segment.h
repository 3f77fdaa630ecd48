/* Journal segments and signed checkpoints: an index of what lies in the journal's folder. */
#ifndef STORE_STORE_SEGMENT_H
#define STORE_STORE_SEGMENT_H

#include "model/pack.h"
#include "store/store.h"

typedef enum SegmentState { SEGMENT_OPEN = 0, SEGMENT_SEALED } SegmentState;

typedef struct StoreSegment {
    uint64_t id;
    Id writer;
    bool keeper; /* one of the keeper's own */
    SegmentState state;
    uint64_t created_ns;
    uint64_t length, count; /* of the seal */
    PackKey last;
    uint64_t log_start; /* index in the log of its first leaf */
} StoreSegment;

typedef struct SegmentFilter {
    const Id *writer;
    bool open;     /* only those that are not sealed */
    uint64_t from; /* ids from here on */
    bool backward; /* newest first */
} SegmentFilter;

typedef Err StoreSegmentFn(void *ctx, const StoreSegment *segment);

/* Gives ret->id: above every id before. */
Err store_segment_add(Store *s, StoreSegment *segment) MUST_CHECK;
/* ERR_MORE: no such segment. */
Err store_segment_get(Store *s, uint64_t id, StoreSegment *ret) MUST_CHECK;
/* From open to sealed. ERR_MORE: it was not open. */
Err store_segment_seal(Store *s, const StoreSegment *segment) MUST_CHECK;
/* Of a file that never held a record. */
Err store_segment_remove(Store *s, uint64_t id) MUST_CHECK;
/* The callback may change other segments, but not walk them. */
Err store_segment_each(Store *s, const SegmentFilter *filter, StoreSegmentFn *fn,
                       void *ctx) MUST_CHECK;
/* The lowest open segment of this writer, or of the keeper, whichever is lower; 0: none. */
Err store_segment_lowest_open(Store *s, const Id *writer, uint64_t *ret) MUST_CHECK;
Err store_segment_count(Store *s, uint64_t *ret) MUST_CHECK;

/* Of the largest size. ERR_MORE: there is none. */
Err store_checkpoint_newest(Store *s, Buf *out) MUST_CHECK;
Err store_checkpoint_add(Store *s, uint64_t size, uint64_t created_ns, Bytes note) MUST_CHECK;

#endif
