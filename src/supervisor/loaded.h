/* The configuration as the supervisor reads it: the file, and the certificates that it names,
 * once, into sealed memory that all processes get. */
#ifndef SUPERVISOR_LOADED_H
#define SUPERVISOR_LOADED_H

#include "config/edition.h"

enum { LOADED_WORDS_MAX = 48 << 10, LOADED_KEPT = 4 };

typedef struct Loaded {
    struct Loaded *older; /* for questions that name an epoch of a moment ago */
    uint64_t epoch;
    Arena arena;
    Config config;
    int fd; /* sealed, see config/edition.h */
} Loaded;

/* *words: mistakes and warnings, as a compiler prints them, or what else went wrong. */
Err loaded_read(const char *path, uint64_t epoch, Loaded **ret, Buf *words) MUST_CHECK;
void loaded_free(Loaded *l);                                   /* NULL is fine */
const Loaded *loaded_of(const Loaded *newest, uint64_t epoch); /* NULL: not here */
/* `fresh` becomes the newest; those beyond LOADED_KEPT go. */
void loaded_enter(Loaded **newest, Loaded *fresh);

#endif
