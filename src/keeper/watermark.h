/* How full the journal's volume is, and what follows before it is full.
 *
 *     NORMAL ──(sessions %)──▶ SESSIONS ──(reads %)──▶ READS          back: 2 percent below
 *
 * SESSIONS: whoever is among the largest writers of the day gets no new session. Those are the
 * smallest set of identities that together recorded more than half of the day's bytes (all that
 * stand equal at its edge), without those that recorded less than WRITER_FLOOR.
 * READS: the workers end every answer at a bound (worker/budget.c).
 *
 * A volume that cannot be asked counts as READS. */
#ifndef KEEPER_WATERMARK_H
#define KEEPER_WATERMARK_H

#include "base/arena.h"
#include "config/config.h"
#include "model/ask.h"

enum { WRITER_FLOOR = 1 << 20, WATERMARK_BACK = 2 };

struct Keeper;
struct KeeperPeer;

typedef struct Watermark {
    DiskLevel level;
    unsigned percent; /* in use at the last look; 0: it could not be asked */
} Watermark;

DiskLevel watermark_level(const Watermarks *marks, DiskLevel now, unsigned percent);
const char *watermark_name(DiskLevel level);
/* Once a second. A change is recorded, and the workers are told. */
void watermark_look(struct Keeper *k);
Err watermark_tell(struct KeeperPeer *peer) MUST_CHECK;
/* May this identity begin no session now? Then *ret_why, in `a`, says so. */
bool watermark_refuses(struct Keeper *k, Bytes user, Arena *a, Bytes *ret_why);

#endif
