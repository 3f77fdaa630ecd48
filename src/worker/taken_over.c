/* FOR TESTS ONLY: a worker that obeys whoever connects, as if somebody had taken it over. It is
 * compiled only with -Dtest_taken_over=true, which no release or package build takes.
 *
 * A startup packet whose application_name begins with "taken-over " says what to do; the answer
 * comes back as a FATAL error. The words are primitives, tests/faults/test_taken_over.py makes
 * attacks of them:
 *
 *     who                      pid, slot, the writer's id, the segment's descriptor
 *     call NUMBER ARG…         a system call; an ARG is a number, or x:HEX for the address of bytes
 *     ask KIND HEX, tell …     a message to the keeper, whatever it says
 *     supervise KIND HEX       a question to the supervisor
 *     flood COUNT KIND HEX     the same question so often at once; how many answers are longer than
 * 4
 *
 * "@SLOT " before them: only the worker of that slot does it, others answer "elsewhere". */
#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_OF_CALL = 9, ARG_BYTES = 16 << 10, SAID_MAX = 64 << 10 };

static void say(Session *s, const Buf *words)
{
    session_farewell(s, &(Fault){ .code = CHP_5401, .fact = buf_view(words) });
    session_mark(s);
}

static void on_answer(void *ctx, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf words = { 0 };
    Session *s = ctx;

    buf_init(&words, SAID_MAX);
    if (text_format(&words, "answer fd=%d ", m != NULL ? m->fd : -2) == OK && m != NULL)
        (void)!hex_encode(m->body, &words);
    say(s, &words);
}

typedef struct Flood {
    Session *session;
    size_t due, long_ones;
} Flood;

static void on_flooded(void *ctx, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf words = { 0 };
    Flood *f = ctx;

    f->due--;
    f->long_ones += m != NULL && m->body.len > 4;
    if (f->due > 0)
        return;
    buf_init(&words, 128);
    if (text_format(&words, "long=%zu", f->long_ones) == OK)
        say(f->session, &words);
}

/* A number, decimal, or the address of bytes that live as long as the session. */
static Err argument(Session *s, Bytes word, long *ret)
{
    CLEANUP(buf_done) Buf bytes = { 0 };
    Bytes kept;

    if (!text_starts(word, LIT("x:"))) {
        const char *digits;

        TRY(arena_string(&s->arena, word, &digits));
        *ret = strtol(digits, NULL, 0);
        return OK;
    }
    buf_init(&bytes, ARG_BYTES);
    TRY(hex_decode(bytes_from(word, 2), &bytes));
    TRY(buf_byte(&bytes, 0));
    TRY(arena_copy(&s->arena, buf_view(&bytes), &kept));
    *ret = (long)(intptr_t)kept.ptr;
    return OK;
}

static size_t split(Bytes text, Bytes words[WORDS_OF_CALL])
{
    size_t count = 0;

    while (text.len > 0 && count < WORDS_OF_CALL) {
        const size_t len = text_find(text, LIT(" "));

        words[count++] = bytes_upto(text, len);
        text = bytes_from(text, len < text.len ? len + 1 : len);
    }
    return count;
}

static Err call(Session *s, const Bytes *words, size_t count, Buf *said)
{
    long a[WORDS_OF_CALL] = { 0 };

    for (size_t i = 0; i < count; i++)
        TRY(argument(s, words[i], &a[i]));
    errno = 0;
    const long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    return text_format(said, "result=%ld errno=%d", result, errno);
}

static Err pass_on(Session *s, const Bytes *words, bool question, Channel *to)
{
    CLEANUP(buf_done) Buf body = { 0 };
    long kind;

    buf_init(&body, ARG_BYTES);
    TRY(argument(s, words[0], &kind));
    TRY(hex_decode(words[1], &body));
    return question ? channel_ask(to, (uint16_t)kind, buf_view(&body), on_answer, s)
                    : channel_tell(to, (uint16_t)kind, buf_view(&body), -1);
}

/* Who asks stays until all answers are there. */
static Err flood(Session *s, const Bytes *words)
{
    CLEANUP(buf_done) Buf body = { 0 };
    long count, kind;
    void *mem;

    buf_init(&body, ARG_BYTES);
    TRY(argument(s, words[0], &count));
    TRY(argument(s, words[1], &kind));
    TRY(hex_decode(words[2], &body));
    TRY(arena_array(&s->arena, 1, sizeof(Flood), &mem));
    Flood *f = mem;
    *f = (Flood){ s, (size_t)count, 0 };
    for (long i = 0; i < count; i++)
        TRY(channel_ask(s->worker->keeper, (uint16_t)kind, buf_view(&body), on_flooded, f));
    return OK;
}

static Err who(Session *s, Buf *said)
{
    const Worker *w = s->worker;

    TRY(text_format(said, "pid=%d slot=%u segment_fd=%d writer=", (int)getpid(), w->slot,
                    w->recorder.fd));
    return hex_encode(VIEW(w->writer.bytes), said);
}

static bool is_here(const Worker *w, Bytes word)
{
    uint64_t slot;

    return text_u64(bytes_from(word, 1), UINT32_MAX, &slot) == OK && slot == w->slot;
}

bool taken_over(Session *s)
{
    CLEANUP(buf_done) Buf said = { 0 };
    const Bytes text = signin_setting(&s->signin.startup, "application_name", false);
    Bytes words[WORDS_OF_CALL] = { { 0 } };
    Worker *w = s->worker;
    Err err = ERR_MALFORMED;

    if (!text_starts(text, LIT("taken-over ")))
        return false;
    buf_init(&said, SAID_MAX);
    size_t count = split(bytes_from(text, LIT("taken-over ").len), words);
    s->phase = SESSION_KEEPER;
    if (text_starts(words[0], LIT("@"))) {
        if (!is_here(w, words[0])) {
            (void)!text_format(&said, "elsewhere");
            say(s, &said);
            return true;
        }
        count--;
        memmove(words, words + 1, (WORDS_OF_CALL - 1) * sizeof words[0]);
    }
    if (text_eq(words[0], LIT("flood")))
        return flood(s, words + 1) == OK;
    if (text_eq(words[0], LIT("ask")))
        return pass_on(s, words + 1, true, w->keeper) == OK;
    if (text_eq(words[0], LIT("supervise")))
        return pass_on(s, words + 1, true, w->supervisor) == OK;
    if (text_eq(words[0], LIT("tell")))
        err = pass_on(s, words + 1, false, w->keeper);
    else if (text_eq(words[0], LIT("call")))
        err = call(s, words + 1, count - 1, &said);
    else if (text_eq(words[0], LIT("who")))
        err = who(s, &said);
    if (err != OK)
        (void)!text_format(&said, "not done: %d", (int)err);
    say(s, &said);
    return true;
}
