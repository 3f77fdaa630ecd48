/* The shape of every language: a text and what is known of the target in, its meaning out. */
#ifndef LANG_LANG_H
#define LANG_LANG_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/meaning.h"

typedef struct LangContext {
    const Schema *schema;
    const Bytes *search_path; /* explicit schemas in order, "$user" resolved, pg_temp last */
    size_t search_path_count;
} LangContext;

typedef Err LangLook(const LangContext *ctx, Bytes text, Arena *arena, const Meaning **ret);

/* Texts that differ only in plain literals have one shape: the places of these literals. */
enum { LANG_LITERALS_MAX = 64 };

typedef struct LangLiteral {
    uint32_t start, end; /* bytes */
} LangLiteral;

typedef struct LangShape {
    size_t count;
    LangLiteral literals[LANG_LITERALS_MAX]; /* in their order in the text */
} LangShape;

/* A text that speaks for all of its shape. */
typedef struct LangModel {
    const Meaning *meaning;
    const LangShape *shape;
} LangModel;

/* What a language knows. Functions are pure; only `look` is never NULL. */
typedef struct Lang {
    LangLook *look;
    bool (*heavy)(Bytes text); /* too much to be understood between two turns */
    /* Appends what all texts of that shape have in common. ERR_MALFORMED: it has no shape. */
    Err (*shape)(Bytes text, Buf *key, LangShape *ret);
    /* May the meaning of a text speak for all of its shape? */
    bool (*speaks)(const Meaning *meaning, Bytes text, const LangShape *shape);
    /* The meaning of `text`, as `look` would give it, from that of another text of its shape.
     * What it names goes on living in the other's memory. */
    Err (*remake)(const LangModel *other, Bytes text, const LangShape *shape, Arena *arena,
                  const Meaning **ret);
} Lang;

#endif
