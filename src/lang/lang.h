/* The shape of every language: a text and what is known of the target in, its meaning out. */
#ifndef LANG_LANG_H
#define LANG_LANG_H

#include "base/arena.h"
#include "model/meaning.h"

typedef struct LangContext {
    const Schema *schema;
    const Bytes *search_path; /* explicit schemas in order, "$user" resolved, pg_temp last */
    size_t search_path_count;
} LangContext;

typedef Err LangLook(const LangContext *ctx, Bytes text, Arena *arena, const Meaning **ret);

#endif
