/* A bounded table from bytes to a pointer: keyed hash, full compare, keys copied.
 *
 * Owns its keys, never its values: map_done() and map_remove() leave those to the caller.
 * A value is never NULL. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/base.h"
#include "base/siphash.h"

typedef struct MapSlot {
    Bytes key; /* owned copy; ptr is NULL in an empty slot */
    uint64_t hash;
    void *value;
} MapSlot;

typedef struct Map {
    MapSlot *slots;
    size_t count, cap, max;
    SipKey hash_key;
} Map;

void map_init(Map *m, size_t max_count, SipKey hash_key);
void map_done(Map *m);                  /* wipes and frees keys; safe on a zeroed Map */
void map_rest(Map *m);                  /* an empty one keeps no table */
void *map_get(const Map *m, Bytes key); /* NULL: not there */
/* Adds or replaces; *ret_old (may be NULL) is the value that was there, or NULL.
 * ERR_LIMIT: `max_count` keys, or no memory; nothing has changed. */
Err map_put(Map *m, Bytes key, void *value, void **ret_old) MUST_CHECK;
void *map_remove(Map *m, Bytes key); /* the value that was there, or NULL */
/* Walks: start with *at = 0; false at the end. No put or remove meanwhile. */
bool map_next(const Map *m, size_t *at, Bytes *ret_key, void **ret_value);

#endif
