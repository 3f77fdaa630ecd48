/* Bytes of the journal by identity and resource, in the latest hour and day of each. */
#ifndef STORE_STORE_RECORDED_H
#define STORE_STORE_RECORDED_H

#include "model/pack.h"
#include "store/store.h"

typedef struct StoreRecorded {
    Bytes user, resource;
    uint64_t hour, hour_bytes; /* hours since 1970, UTC */
    uint64_t day, day_bytes;
} StoreRecorded;

/* What one identity recorded in a day, beside the others. */
typedef struct StoreShare {
    uint64_t own;    /* bytes on all resources */
    uint64_t larger; /* of all identities that recorded more than this one */
    uint64_t whole;  /* of everybody */
} StoreShare;

typedef Err StoreRecordedFn(void *ctx, const StoreRecorded *recorded);
typedef Err StoreWriterFn(void *ctx, Bytes user, uint64_t bytes);

Err store_recorded_put(Store *s, const StoreRecorded *r) MUST_CHECK;
Err store_recorded_each(Store *s, StoreRecordedFn *fn, void *ctx) MUST_CHECK;
/* Forgets what was last written before `day`. */
Err store_recorded_forget(Store *s, uint64_t day) MUST_CHECK;
/* How much of a session is in those numbers. */
Err store_session_recorded(Store *s, const Id *session, uint64_t bytes) MUST_CHECK;

Err store_share(Store *s, Bytes user, uint64_t day, StoreShare *ret) MUST_CHECK;
/* The largest of a day first, at most `limit`. */
Err store_writer_each(Store *s, uint64_t day, uint64_t limit, StoreWriterFn *fn,
                      void *ctx) MUST_CHECK;

#endif
