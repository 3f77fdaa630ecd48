/* Texts that were understood, remembered by exact text and, where their literals decided nothing,
 * by the shape that they share with others.
 *
 * A verdict depends on who asks and with what values; what a text means depends only on the
 * text, the catalogue snapshot and the search_path, so that is what the keys hold. Keyed
 * hash, full compare. Entries in use outlive their place in the tables. */
#ifndef GATE_LOOK_H
#define GATE_LOOK_H

#include "base/arena.h"
#include "base/map.h"
#include "lang/lang.h"
#include "proto/proto.h"

enum {
    LOOK_CACHE_MAX = 4096,        /* of each table, which is emptied when full */
    LOOK_CACHED_TEXT_MAX = 4096,  /* longer ones are understood anew each time */
    LOOK_ARENA_BYTES = 256 << 20, /* of one text: a bound, not a reservation */
};

typedef struct LookCache {
    Map texts, shapes;
    const Lang *lang;
    Buf key;
    uint64_t hits, alike, misses; /* by text, by shape, not at all */
} LookCache;

/* `lang` outlives the cache. */
void look_init(LookCache *c, const Lang *lang, SipKey hash_key);
void look_done(LookCache *c);
/* Without the table: for another thread too. One reference for the caller. */
Err look_make(const Lang *lang, const LangContext *ctx, Bytes text, Judged **ret) MUST_CHECK;
/* One reference for the caller. ERR_MORE: heavy, and in no table. */
Err look_at(LookCache *c, const LangContext *ctx, Bytes text, Judged **ret) MUST_CHECK;
void look_keep(Judged *judged);
void look_drop(Judged *judged);

#endif
