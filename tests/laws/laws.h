/* The seven laws for every codec, as checks on a recorded stream of both sides.
 *
 * A codec comes as a table of functions, a recording as turns: who said what, in order. The test
 * links with -Wl,--wrap=malloc,--wrap=calloc for the seventh law. */
#ifndef LAWS_H
#define LAWS_H

#include "base/base.h"

typedef struct LawTurn {
    bool server;
    Bytes bytes;
} LawTurn;

typedef struct LawCase {
    const char *name;
    const LawTurn *turns;
    size_t turn_count;
    bool untouched; /* nothing is to be judged away or masked: all leaves as it came */
} LawCase;

typedef struct LawCodec {
    void *(*open)(void);
    void (*close)(void *session);
    /* Takes bytes as an exact-size copy, so that a read past them is seen. */
    Err (*client)(void *session, Bytes bytes);
    Err (*server)(void *session, Bytes bytes);
    Bytes (*to_client)(void *session); /* all that left so far */
    Bytes (*to_server)(void *session);
    size_t (*waiting)(void *session); /* bytes held back, of both sides */
    /* Does `sent` differ from `came` in masked fields only? NULL: not asked. */
    bool (*is_local)(Bytes came, Bytes sent);
    bool (*is_whole)(Bytes bytes); /* whole messages only? */
    Bytes broken;                  /* no message of either side begins so */
} LawCodec;

/* Each EXPECTs its law for the case. */
void law_cuts_do_not_matter(const LawCodec *codec, const LawCase *c);
void law_untouched_is_identical(const LawCodec *codec, const LawCase *c);
void law_progress_or_stop(const LawCodec *codec, const LawCase *c);
void law_masking_is_local(const LawCodec *codec, const LawCase *c);
void law_errors_are_final(const LawCodec *codec, const LawCase *c);
void law_any_allocation_may_fail(const LawCodec *codec, const LawCase *c);

#endif
