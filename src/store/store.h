/* The state that outlives a process: one SQLite file in WAL mode, every commit on disk.
 *
 * Holds no secret in clear: verifiers of passwords, keys wrapped, texts that may hold PHI sealed
 * by the keeper. What the journal proves is in the journal; this is configuration, open
 * business, and an index. One thread. Each noun has its own header (store_user.h …). */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"

typedef struct Store Store;

typedef enum StoreAccess { STORE_READ = 0, STORE_WRITE } StoreAccess;

/* STORE_WRITE makes the file and brings an older one forward. ERR_IO: cannot be opened;
 * ERR_REFUSED: written by a newer version. */
Err store_open(const char *path, StoreAccess access, Store **ret) MUST_CHECK;
void store_close(Store *s); /* NULL is fine */
/* A snapshot of a store in use, as a new file that nobody else sees yet. */
Err store_copy(Store *from, const char *path) MUST_CHECK;
/* What SQLite said last, for the log. */
const char *store_why(const Store *s);

/* Several changes, all or none. Not nested. */
Err store_begin(Store *s) MUST_CHECK;
Err store_commit(Store *s) MUST_CHECK;
void store_rollback(Store *s); /* harmless after a commit */

/* Small values by name. ERR_MORE: there is none. Appends to `out`. */
Err store_meta_get(Store *s, const char *name, Buf *out) MUST_CHECK;
Err store_meta_put(Store *s, const char *name, Bytes value) MUST_CHECK;

#endif
