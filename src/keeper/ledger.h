/* The ledger: leaf hashes of sealed segments in the order in which they were merged, the tree
 * over them, and its signed heads.
 *
 * In the journal's folder, for verifiers that have nothing else:
 *
 *     log          40 bytes for each leaf: segment id, leaf hash
 *     seals        80 bytes for each sealed segment (chaperone-journal(5))
 *     checkpoint   the newest signed head
 *     public.key   the verifier key, as C2SP signed-note writes it
 *
 * Files are written first, then the store: what the store does not know of is cut at start. */
#ifndef KEEPER_LEDGER_H
#define KEEPER_LEDGER_H

#include "journal/checkpoint.h"
#include "keeper/keys.h"
#include "keeper/segment_file.h"
#include "store/store_segment.h"
#include "sys/clock.h"

typedef struct Ledger {
    Store *store;
    const char *journal; /* borrowed */
    MerkleRange range;
    uint64_t seals;
    int log_fd, seals_fd;
    SignKey key;
    Buf origin;
    uint64_t signed_size, signed_ns;
    bool ever_signed;
    bool rebuilt; /* a table was lost, and made again when it was opened */
} Ledger;

/* `l->journal` and `l->store` are set by the caller. Makes the signing key at first start. */
Err ledger_open(Ledger *l, Keys *keys) MUST_CHECK;
void ledger_done(Ledger *l);
/* Marks the segment sealed and appends its leaves. `segment` is its row. */
Err ledger_merge(Ledger *l, StoreSegment segment, const SegmentReading *reading) MUST_CHECK;
/* At most one a second, and none for what is signed already, unless `now` must be. */
Err ledger_sign(Ledger *l, Clock now, bool at_once) MUST_CHECK;
/* Is there anything that no checkpoint covers yet? */
bool ledger_is_behind(const Ledger *l);
/* Appends the verifier key. */
Err ledger_public_key(const Ledger *l, Buf *out) MUST_CHECK;

#endif
