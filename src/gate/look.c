#include "gate/look.h"

#include <stdlib.h>

enum { KEY_MAX = 64 << 10 };

typedef struct Look {
    Judged judged; /* first: a Judged of ours is a Look */
    Arena arena;
    Judged *other;          /* what `judged` was remade from, and borrows from */
    const LangShape *shape; /* NULL: it speaks for itself only */
} Look;

void look_init(LookCache *c, const Lang *lang, SipKey hash_key)
{
    *c = (LookCache){ .lang = lang };
    map_init(&c->texts, LOOK_CACHE_MAX, hash_key);
    map_init(&c->shapes, LOOK_CACHE_MAX, hash_key);
    buf_init(&c->key, KEY_MAX);
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
    if (look->other != NULL) /* which was remade from nothing itself */
        look_drop(look->other);
    arena_done(&look->arena);
    free(look);
}

static void empty(Map *m)
{
    size_t at = 0;
    void *value;

    while (map_next(m, &at, NULL, &value))
        look_drop(value);
    map_done(m);
}

void look_done(LookCache *c)
{
    empty(&c->texts);
    empty(&c->shapes);
    buf_done(&c->key);
}

/* --- keys ---------------------------------------------------------------------------------------
 */

/* What every key begins with. */
static Err begin_key(Buf *key, const LangContext *ctx)
{
    buf_truncate(key, 0);
    TRY(buf_u64(key, ctx->schema->generation));
    for (size_t i = 0; i < ctx->search_path_count; i++) {
        TRY(buf_append(key, ctx->search_path[i]));
        TRY(buf_byte(key, 0));
    }
    return buf_byte(key, 0);
}

static Err text_key(LookCache *c, const LangContext *ctx, Bytes text)
{
    TRY(begin_key(&c->key, ctx));
    return buf_append(&c->key, text);
}

static Err shape_key(LookCache *c, const LangContext *ctx, Bytes text, LangShape *ret)
{
    if (c->lang->shape == NULL)
        return ERR_MALFORMED;
    TRY(begin_key(&c->key, ctx));
    return c->lang->shape(text, &c->key, ret);
}

/* --- making -------------------------------------------------------------------------------------
 */

static Err begin(Bytes text, Look **ret)
{
    Look *look = calloc(1, sizeof *look);

    if (look == NULL)
        return ERR_LIMIT;
    look->judged.refs = 1;
    arena_init(&look->arena, LOOK_ARENA_BYTES);
    *ret = look;
    const Err err = arena_copy(&look->arena, text, &look->judged.text);
    if (err != OK)
        look_drop(&look->judged);
    return err;
}

static Err finish(Look *look, Err err, Judged **ret)
{
    if (err != OK)
        look_drop(&look->judged);
    else
        *ret = &look->judged;
    return err;
}

Err look_make(const Lang *lang, const LangContext *ctx, Bytes text, Judged **ret)
{
    Look *look;

    TRY(begin(text, &look));
    const Err err = lang->look(ctx, look->judged.text, &look->arena, &look->judged.meaning);
    return finish(look, err, ret);
}

static Err remake(const Lang *lang, Look *other, Bytes text, const LangShape *shape, Judged **ret)
{
    const LangModel model = { other->judged.meaning, other->shape };
    Look *look;

    TRY(begin(text, &look));
    look->other = &other->judged;
    look_keep(look->other);
    const Err err =
        lang->remake(&model, look->judged.text, shape, &look->arena, &look->judged.meaning);
    return finish(look, err, ret);
}

/* --- remembering
 * ---------------------------------------------------------------------------------- */

static Err put(Map *m, Bytes key, Judged *judged)
{
    if (m->count >= LOOK_CACHE_MAX)
        empty(m);
    TRY(map_put(m, key, judged, NULL));
    look_keep(judged);
    return OK;
}

/* Only what was understood whole is worth keeping: an unknown name may be known next time. */
static Err remember(LookCache *c, const LangContext *ctx, Judged *judged)
{
    if (!judged->meaning->understood || judged->meaning->unknown_count > 0)
        return OK;
    TRY(text_key(c, ctx, judged->text));
    return put(&c->texts, buf_view(&c->key), judged);
}

static Err remember_shape(LookCache *c, const LangContext *ctx, Judged *judged)
{
    Look *look = (Look *)judged;
    LangShape shape;
    void *mem;

    if (shape_key(c, ctx, judged->text, &shape) != OK ||
        !c->lang->speaks(judged->meaning, judged->text, &shape))
        return OK;
    TRY(arena_alloc(&look->arena, sizeof shape, &mem));
    *(LangShape *)mem = shape;
    look->shape = mem;
    return put(&c->shapes, buf_view(&c->key), judged);
}

/* Understood now, and for the next time. */
static Err make(LookCache *c, const LangContext *ctx, Bytes text, Judged **ret)
{
    if (c->lang->heavy != NULL && c->lang->heavy(text))
        return ERR_MORE;
    TRY(look_make(c->lang, ctx, text, ret));
    if (text.len > LOOK_CACHED_TEXT_MAX)
        return OK;
    Err err = remember(c, ctx, *ret);
    if (err == OK)
        err = remember_shape(c, ctx, *ret);
    if (err != OK)
        look_drop(*ret);
    return err;
}

/* *ret stays NULL: none of its shape is known. */
static Err look_alike(LookCache *c, const LangContext *ctx, Bytes text, Judged **ret)
{
    LangShape shape;

    if (shape_key(c, ctx, text, &shape) != OK)
        return OK;
    Look *other = map_get(&c->shapes, buf_view(&c->key));
    return other != NULL ? remake(c->lang, other, text, &shape, ret) : OK;
}

Err look_at(LookCache *c, const LangContext *ctx, Bytes text, Judged **ret)
{
    if (text.len > LOOK_CACHED_TEXT_MAX)
        return make(c, ctx, text, ret);
    TRY(text_key(c, ctx, text));
    *ret = map_get(&c->texts, buf_view(&c->key));
    if (*ret != NULL) {
        c->hits++;
        look_keep(*ret);
        return OK;
    }
    TRY(look_alike(c, ctx, text, ret));
    if (*ret != NULL) {
        c->alike++;
        return OK;
    }
    c->misses++;
    return make(c, ctx, text, ret);
}
