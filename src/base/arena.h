/* Memory of one lifetime with a budget: allocate many, free all at once, wiped.
 *
 * A session's arena lives from accept to close; a statement's until its last row.
 * Nothing allocated here is freed by itself. ERR_LIMIT when the budget is used up
 * or malloc fails: to the caller these are the same. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/base.h"

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
    ArenaBlock *blocks; /* newest first */
    size_t used, budget;
} Arena;

void arena_init(Arena *a, size_t budget_bytes);
void arena_done(Arena *a); /* wipes, then frees; safe on a zeroed Arena */
/* Zeroed, aligned for any type. `size` 0 gives a valid pointer. */
Err arena_alloc(Arena *a, size_t size, void **ret) MUST_CHECK;
/* `count` zeroed elements of `size` bytes; the product is checked. */
Err arena_array(Arena *a, size_t count, size_t size, void **ret) MUST_CHECK;
Err arena_copy(Arena *a, Bytes from, Bytes *ret) MUST_CHECK;
/* A NUL-terminated copy, for libraries that want one. */
Err arena_string(Arena *a, Bytes from, const char **ret) MUST_CHECK;

#endif
