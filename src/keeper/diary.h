/* The keeper's own records: sign-ins, approvals, administration, recovery, heartbeats.
 *
 * A writer like any worker, with a key of its own for each start. What concerns people is on
 * disk before it takes effect (`wait`). A write that fails is taken back; a sync that fails is
 * never tried again: from then on every write fails, and so does what needed the record. */
#ifndef KEEPER_DIARY_H
#define KEEPER_DIARY_H

#include "keeper/ledger.h"
#include "store/store_session.h"

typedef struct Diary {
    Ledger *ledger;
    Keys *keys;
    SegmentWriter writer;
    JournalKey key;
    int fd; /* of the open segment; -1: none */
    StoreSegment segment;
    uint64_t opened_mono_ns;
    Hash policy_hash;
    uint32_t party; /* of nonces under other keys: the start's number, never 0 */
    bool failed;
} Diary;

typedef struct DiaryEntry {
    LeafType type;
    Bytes actor, target; /* committed to, not shown */
    Id about;            /* a session; recovery: the dead writer; else zero */
    Bytes payload;       /* JSON */
    uint8_t ruling;
    SessionChain *chain; /* only to carry a dead worker's session on */
    JournalKey *key;     /* NULL: the keeper's own */
    bool wait;
} DiaryEntry;

/* `d->ledger`, keys, policy hash and party are set by the caller. */
Err diary_open(Diary *d, const Id *writer, Clock now) MUST_CHECK;
void diary_done(Diary *d);
/* *ret_leaf (may be NULL) is the record's leaf hash. */
Err diary_write(Diary *d, const DiaryEntry *entry, Clock now, Hash *ret_leaf) MUST_CHECK;
Err diary_sync(Diary *d) MUST_CHECK;
/* Seals the open segment and merges it; `go_on`: begins the next one. */
Err diary_turn(Diary *d, Clock now, bool go_on) MUST_CHECK;
/* Is the open segment large or old enough to be sealed? */
bool diary_is_full(const Diary *d, Clock now);

#endif
