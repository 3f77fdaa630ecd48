#include "gate/look.h"

#include <stdlib.h>

typedef struct Look {
    Judged judged; /* first: a Judged of ours is a Look */
    Arena arena;
} Look;

void look_init(LookCache *c, LangLook *look, SipKey hash_key)
{
    *c = (LookCache){ .look = look };
    map_init(&c->map, LOOK_CACHE_MAX, hash_key);
}

void look_keep(Judged *judged)
{
    judged->refs++;
}

void look_drop(Judged *judged)
{
    Look *look = (Look *)judged;

    if (--judged->refs > 0)
        return;
    arena_done(&look->arena);
    free(look);
}

static void empty(LookCache *c)
{
    size_t at = 0;
    void *value;

    while (map_next(&c->map, &at, NULL, &value))
        look_drop(value);
    map_done(&c->map);
}

void look_done(LookCache *c)
{
    empty(c);
}

static Err make_key(const LangContext *ctx, Bytes text, Buf *out)
{
    TRY(buf_u64(out, ctx->schema->generation));
    for (size_t i = 0; i < ctx->search_path_count; i++) {
        TRY(buf_append(out, ctx->search_path[i]));
        TRY(buf_byte(out, 0));
    }
    TRY(buf_byte(out, 0));
    return buf_append(out, text);
}

Err look_make(LangLook *understand, const LangContext *ctx, Bytes text, Judged **ret)
{
    Look *look = calloc(1, sizeof *look);

    if (look == NULL)
        return ERR_LIMIT;
    look->judged.refs = 1;
    arena_init(&look->arena, LOOK_ARENA_BYTES);
    Err err = arena_copy(&look->arena, text, &look->judged.text);
    if (err == OK)
        err = understand(ctx, look->judged.text, &look->arena, &look->judged.meaning);
    if (err != OK) {
        look_drop(&look->judged);
        return err;
    }
    *ret = &look->judged;
    return OK;
}

static Err make_here(const LookCache *c, const LangContext *ctx, Bytes text, Judged **ret)
{
    if (c->heavy != NULL && c->heavy(text))
        return ERR_MORE;
    return look_make(c->look, ctx, text, ret);
}

/* Only what was understood whole is worth keeping: an unknown name may be known next time. */
static Err remember(LookCache *c, Bytes key, Judged *judged)
{
    if (!judged->meaning->understood || judged->meaning->unknown_count > 0 ||
        judged->text.len > LOOK_CACHED_TEXT_MAX)
        return OK;
    if (c->map.count >= LOOK_CACHE_MAX)
        empty(c);
    TRY(map_put(&c->map, key, judged, NULL));
    look_keep(judged);
    return OK;
}

Err look_at(LookCache *c, const LangContext *ctx, Bytes text, Judged **ret)
{
    CLEANUP(buf_done) Buf key = { 0 };

    buf_init(&key, 64 << 10);
    if (text.len > LOOK_CACHED_TEXT_MAX || make_key(ctx, text, &key) != OK)
        return make_here(c, ctx, text, ret);
    Judged *known = map_get(&c->map, buf_view(&key));
    if (known != NULL) {
        c->hits++;
        look_keep(known);
        *ret = known;
        return OK;
    }
    c->misses++;
    TRY(make_here(c, ctx, text, ret));
    const Err err = remember(c, buf_view(&key), *ret);
    if (err != OK)
        look_drop(*ret);
    return err;
}
