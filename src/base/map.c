#include "base/map.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { MAP_FIRST = 16 };

void map_init(Map *m, size_t max_count, SipKey hash_key)
{
    *m = (Map){ .max = max_count, .hash_key = hash_key };
}

static void drop_key(MapSlot *slot)
{
    /* The key is ours; it was only lent out as const. */
    uint8_t *mem = (uint8_t *)(uintptr_t)slot->key.ptr;

    explicit_bzero(mem, slot->key.len);
    free(mem);
    *slot = (MapSlot){ 0 };
}

void map_done(Map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key.ptr != NULL)
            drop_key(&m->slots[i]);
    free(m->slots);
    *m = (Map){ .max = m->max, .hash_key = m->hash_key };
}

void map_rest(Map *m)
{
    if (m->count == 0)
        map_done(m);
}

/* The slot that holds `key`, or the empty one where it would go. Linear probing; the
 * table is never more than half full, so there always is one. */
static MapSlot *slot_of(const Map *m, Bytes key, uint64_t hash)
{
    size_t at = (size_t)hash & (m->cap - 1);

    while (m->slots[at].key.ptr != NULL) {
        if (m->slots[at].hash == hash && text_eq(m->slots[at].key, key))
            return &m->slots[at];
        at = (at + 1) & (m->cap - 1);
    }
    return &m->slots[at];
}

void *map_get(const Map *m, Bytes key)
{
    if (m->count == 0)
        return NULL;
    return slot_of(m, key, siphash(m->hash_key, key))->value;
}

static Err grow(Map *m)
{
    const size_t cap = m->cap > 0 ? m->cap * 2 : MAP_FIRST;
    Map bigger = { .cap = cap, .count = m->count, .max = m->max, .hash_key = m->hash_key };

    bigger.slots = calloc(cap, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return ERR_LIMIT;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key.ptr != NULL)
            *slot_of(&bigger, m->slots[i].key, m->slots[i].hash) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return OK;
}

static Err copy_key(Bytes key, Bytes *ret)
{
    uint8_t *mem = malloc(key.len > 0 ? key.len : 1);

    if (mem == NULL)
        return ERR_LIMIT;
    if (key.len > 0)
        memcpy(mem, key.ptr, key.len);
    *ret = (Bytes){ mem, key.len };
    return OK;
}

Err map_put(Map *m, Bytes key, void *value, void **ret_old)
{
    assert(value != NULL);
    if (m->count * 2 >= m->cap)
        TRY(grow(m));

    const uint64_t hash = siphash(m->hash_key, key);
    MapSlot *slot = slot_of(m, key, hash);
    if (ret_old != NULL)
        *ret_old = slot->value;
    if (slot->key.ptr == NULL) {
        if (m->count >= m->max)
            return ERR_LIMIT;
        TRY(copy_key(key, &slot->key));
        slot->hash = hash;
        m->count++;
    }
    slot->value = value;
    return OK;
}

/* Close the gap: whatever probed past the emptied slot moves back into it. */
static void close_gap(Map *m, size_t gap)
{
    size_t at = gap;

    for (;;) {
        at = (at + 1) & (m->cap - 1);
        if (m->slots[at].key.ptr == NULL)
            return;
        const size_t home = (size_t)m->slots[at].hash & (m->cap - 1);
        const size_t from_home = (at - home) & (m->cap - 1);
        const size_t from_gap = (at - gap) & (m->cap - 1);
        if (from_home < from_gap)
            continue;
        m->slots[gap] = m->slots[at];
        m->slots[at] = (MapSlot){ 0 };
        gap = at;
    }
}

void *map_remove(Map *m, Bytes key)
{
    if (m->count == 0)
        return NULL;
    MapSlot *slot = slot_of(m, key, siphash(m->hash_key, key));
    void *value = slot->value;

    if (slot->key.ptr == NULL)
        return NULL;
    drop_key(slot);
    m->count--;
    close_gap(m, (size_t)(slot - m->slots));
    return value;
}

bool map_next(const Map *m, size_t *at, Bytes *ret_key, void **ret_value)
{
    while (*at < m->cap) {
        const MapSlot *slot = &m->slots[(*at)++];

        if (slot->key.ptr == NULL)
            continue;
        if (ret_key != NULL)
            *ret_key = slot->key;
        *ret_value = slot->value;
        return true;
    }
    return false;
}
