/* Texts that were understood, remembered by exact text.
 *
 * A verdict depends on who asks and with what values; what a text means depends only on the
 * text, the catalogue snapshot and the search_path, so that is what the key holds. Keyed
 * hash, full compare. Entries in use outlive their place in the table. */
#ifndef GATE_LOOK_H
#define GATE_LOOK_H

#include "base/arena.h"
#include "base/map.h"
#include "lang/lang.h"
#include "proto/proto.h"

enum {
    LOOK_CACHE_MAX = 4096,        /* texts; the table is emptied when full */
    LOOK_CACHED_TEXT_MAX = 4096,  /* longer ones are understood anew each time */
    LOOK_ARENA_BYTES = 256 << 20, /* of one text: a bound, not a reservation */
};

typedef struct LookCache {
    Map map;
    LangLook *look;
    bool (*heavy)(Bytes text); /* too much to be understood between two turns; NULL: nothing is */
    uint64_t hits, misses;
} LookCache;

void look_init(LookCache *c, LangLook *look, SipKey hash_key);
void look_done(LookCache *c);
/* Without the table: for another thread too. One reference for the caller. */
Err look_make(LangLook *look, const LangContext *ctx, Bytes text, Judged **ret) MUST_CHECK;
/* One reference for the caller. ERR_MORE: heavy, and not in the table. */
Err look_at(LookCache *c, const LangContext *ctx, Bytes text, Judged **ret) MUST_CHECK;
void look_keep(Judged *judged);
void look_drop(Judged *judged);

#endif
