#include "base/arena.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

/* A block is half of what there is already: most arenas of an idle session hold little. */
enum { BLOCK_FIRST = 1024, BLOCK_MOST = 4096, ALIGN = 16 };

struct ArenaBlock {
    ArenaBlock *older;
    size_t used, cap;
    _Alignas(16) uint8_t mem[];
};

void arena_init(Arena *a, size_t budget_bytes)
{
    *a = (Arena){ .budget = budget_bytes };
}

void arena_done(Arena *a)
{
    while (a->blocks != NULL) {
        ArenaBlock *block = a->blocks;

        a->blocks = block->older;
        explicit_bzero(block->mem, block->used);
        free(block);
    }
    *a = (Arena){ .budget = a->budget };
}

static Err add_block(Arena *a, size_t size)
{
    const size_t half = a->used / 2 > BLOCK_FIRST ? a->used / 2 : BLOCK_FIRST;
    const size_t least = half < BLOCK_MOST ? half : BLOCK_MOST;
    const size_t cap = size > least ? size : least;
    ArenaBlock *block = malloc(sizeof *block + cap);

    if (block == NULL)
        return ERR_LIMIT;
    block->older = a->blocks;
    block->used = 0;
    block->cap = cap;
    a->blocks = block;
    return OK;
}

Err arena_alloc(Arena *a, size_t size, void **ret)
{
    size_t padded;

    TRY(size_add(size > 0 ? size : 1, ALIGN - 1, &padded));
    padded &= ~(size_t)(ALIGN - 1);
    if (padded > a->budget - a->used)
        return ERR_LIMIT;
    if (a->blocks == NULL || a->blocks->cap - a->blocks->used < padded)
        TRY(add_block(a, padded));

    ArenaBlock *block = a->blocks;
    uint8_t *mem = block->mem + block->used;

    block->used += padded;
    a->used += padded;
    memset(mem, 0, padded);
    *ret = mem;
    return OK;
}

Err arena_array(Arena *a, size_t count, size_t size, void **ret)
{
    size_t bytes;

    TRY(size_mul(count, size, &bytes));
    return arena_alloc(a, bytes, ret);
}

Err arena_copy(Arena *a, Bytes from, Bytes *ret)
{
    void *mem;

    TRY(arena_alloc(a, from.len, &mem));
    if (from.len > 0)
        memcpy(mem, from.ptr, from.len);
    *ret = (Bytes){ mem, from.len };
    return OK;
}

Err arena_string(Arena *a, Bytes from, const char **ret)
{
    size_t size;
    void *mem;

    TRY(size_add(from.len, 1, &size));
    TRY(arena_alloc(a, size, &mem));
    if (from.len > 0)
        memcpy(mem, from.ptr, from.len);
    *ret = mem;
    return OK;
}
