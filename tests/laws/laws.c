#include "laws.h"

#include "base/text.h"
#include "test.h"

#include <string.h>

/* --- allocation that fails on demand ---------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static size_t until_failure = SIZE_MAX;

static bool may_allocate(void)
{
    if (until_failure == 0)
        return false;
    until_failure -= until_failure != SIZE_MAX;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

/* --- running a case -----------------------------------------------------------------------------
 */

typedef struct Outcome {
    Err err;
    Buf to_client, to_server;
} Outcome;

static void outcome_done(Outcome *o)
{
    buf_done(&o->to_client);
    buf_done(&o->to_server);
}

static Err say(const LawCodec *codec, void *session, bool server, Bytes bytes)
{
    return server ? codec->server(session, bytes) : codec->client(session, bytes);
}

static void take(const LawCodec *codec, void *session, Err err, Outcome *ret)
{
    *ret = (Outcome){ .err = err };
    buf_init(&ret->to_client, 64 << 20);
    buf_init(&ret->to_server, 64 << 20);
    EXPECT(buf_append(&ret->to_client, codec->to_client(session)) == OK);
    EXPECT(buf_append(&ret->to_server, codec->to_server(session)) == OK);
}

static Err play(const LawCodec *codec, void *session, const LawCase *c)
{
    for (size_t i = 0; i < c->turn_count; i++)
        TRY(say(codec, session, c->turns[i].server, c->turns[i].bytes));
    return OK;
}

static void run(const LawCodec *codec, const LawCase *c, Outcome *ret)
{
    void *session = codec->open();

    EXPECT(session != NULL);
    take(codec, session, play(codec, session, c), ret);
    codec->close(session);
}

static Err play_cut(const LawCodec *codec, void *session, const LawCase *c, size_t turn, size_t at)
{
    for (size_t i = 0; i < c->turn_count; i++) {
        const LawTurn *t = &c->turns[i];

        if (i == turn)
            TRY(say(codec, session, t->server, bytes_upto(t->bytes, at)));
        TRY(say(codec, session, t->server, i == turn ? bytes_from(t->bytes, at) : t->bytes));
    }
    return OK;
}

static void expect_same(const LawCase *c, const Outcome *a, const Outcome *b)
{
    const bool same = a->err == b->err &&
                      text_eq(buf_view(&a->to_client), buf_view(&b->to_client)) &&
                      text_eq(buf_view(&a->to_server), buf_view(&b->to_server));

    if (!same)
        fprintf(stderr, "%s\n", c->name);
    EXPECT(same);
}

void law_cuts_do_not_matter(const LawCodec *codec, const LawCase *c)
{
    CLEANUP(outcome_done) Outcome whole;

    run(codec, c, &whole);
    for (size_t turn = 0; turn < c->turn_count; turn++)
        for (size_t at = 0; at <= c->turns[turn].bytes.len; at++) {
            CLEANUP(outcome_done) Outcome cut;
            void *session = codec->open();

            EXPECT(session != NULL);
            take(codec, session, play_cut(codec, session, c, turn, at), &cut);
            codec->close(session);
            expect_same(c, &whole, &cut);
        }
}

static void said_by(const LawCase *c, bool server, Buf *out)
{
    buf_init(out, 64 << 20);
    for (size_t i = 0; i < c->turn_count; i++)
        if (c->turns[i].server == server)
            EXPECT(buf_append(out, c->turns[i].bytes) == OK);
}

void law_untouched_is_identical(const LawCodec *codec, const LawCase *c)
{
    CLEANUP(outcome_done) Outcome o = { 0 };
    CLEANUP(buf_done) Buf client = { 0 }, server = { 0 };

    if (!c->untouched)
        return;
    said_by(c, false, &client);
    said_by(c, true, &server);
    run(codec, c, &o);
    EXPECT(o.err == OK);
    EXPECT(text_eq(buf_view(&client), buf_view(&o.to_server)));
    EXPECT(text_eq(buf_view(&server), buf_view(&o.to_client)));
}

/* A call without new bytes changes nothing: what could be done was done. */
void law_progress_or_stop(const LawCodec *codec, const LawCase *c)
{
    void *session = codec->open();
    Err err = OK;

    EXPECT(session != NULL);
    for (size_t i = 0; err == OK && i < c->turn_count; i++) {
        err = say(codec, session, c->turns[i].server, c->turns[i].bytes);
        const size_t client = codec->to_client(session).len, server = codec->to_server(session).len;
        const size_t waiting = codec->waiting(session);

        if (err == OK)
            EXPECT(say(codec, session, true, (Bytes){ 0 }) == OK &&
                   say(codec, session, false, (Bytes){ 0 }) == OK);
        EXPECT(client == codec->to_client(session).len);
        EXPECT(server == codec->to_server(session).len);
        EXPECT(waiting == codec->waiting(session));
    }
    codec->close(session);
}

void law_masking_is_local(const LawCodec *codec, const LawCase *c)
{
    CLEANUP(outcome_done) Outcome o = { 0 };
    CLEANUP(buf_done) Buf server = { 0 };

    if (codec->is_local == NULL)
        return;
    said_by(c, true, &server);
    run(codec, c, &o);
    EXPECT(codec->is_local(buf_view(&server), buf_view(&o.to_client)));
}

/* What no message begins with is put before each turn in turn. */
void law_errors_are_final(const LawCodec *codec, const LawCase *c)
{
    for (size_t turn = 0; turn < c->turn_count; turn++) {
        void *session = codec->open();
        const LawCase before = { .turns = c->turns, .turn_count = turn };

        EXPECT(session != NULL);
        EXPECT(play(codec, session, &before) == OK);
        const size_t waiting = codec->waiting(session);
        const Err err = say(codec, session, c->turns[turn].server, codec->broken);
        /* Behind messages that wait for an answer, it was not looked at yet. */
        EXPECT(err != OK || waiting > 0);
        const size_t client = codec->to_client(session).len, server = codec->to_server(session).len;
        for (size_t i = turn; err != OK && i < c->turn_count; i++)
            EXPECT(say(codec, session, c->turns[i].server, c->turns[i].bytes) == OK ||
                   i < c->turn_count);
        EXPECT(err == OK || (client == codec->to_client(session).len &&
                             server == codec->to_server(session).len));
        codec->close(session);
    }
}

void law_any_allocation_may_fail(const LawCodec *codec, const LawCase *c)
{
    CLEANUP(outcome_done) Outcome whole;
    size_t n = 0;

    run(codec, c, &whole);
    for (;; n++) {
        CLEANUP(outcome_done) Outcome o;
        void *session = codec->open();

        EXPECT(session != NULL && n < 100000);
        until_failure = n;
        const Err err = play(codec, session, c);
        until_failure = SIZE_MAX;
        take(codec, session, err, &o);
        codec->close(session);
        EXPECT(err == OK || err == ERR_LIMIT);
        /* Never half a message more than what would have been sent. */
        EXPECT(codec->is_whole(buf_view(&o.to_server)) && codec->is_whole(buf_view(&o.to_client)));
        EXPECT(text_starts(buf_view(&whole.to_server), buf_view(&o.to_server)));
        EXPECT(text_starts(buf_view(&whole.to_client), buf_view(&o.to_client)));
        if (err == OK)
            break;
    }
    EXPECT(n > 0); /* something was allocated, so the wrap is in place */
}
