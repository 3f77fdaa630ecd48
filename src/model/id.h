/* Who is who in the record: 16 random bytes inside, a short typed text outside.
 *
 * Ids appear in links and logs; no authorisation rests on one. */
#ifndef MODEL_ID_H
#define MODEL_ID_H

#include "base/base.h"

typedef struct Id {
    uint8_t bytes[16];
} Id;

enum {
    ID_CHARS = 10,                   /* 50 bits of Crockford's base32 */
    ID_TEXT_SIZE = 2 + ID_CHARS + 1, /* "s-8m2qv6x1p0", NUL */
};

typedef struct IdText {
    char text[ID_TEXT_SIZE];
} IdText;

/* `kind`: 's' session, 'r' request, 'd' decision, 'a' approval. */
IdText id_text(char kind, const Id *id);
/* A decision is the session's `count`-th: no random bytes on the data path. */
IdText id_decision(const Id *session, uint64_t count);
bool id_eq(const Id *a, const Id *b);
bool id_is_zero(const Id *id);

#endif
