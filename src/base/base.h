/* Words every other file is written in. No other header is included everywhere. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(done)          __attribute__((cleanup(done)))
#define COUNT_OF(array)        (sizeof(array) / sizeof((array)[0]))

/* An error class exists only if some caller acts on it differently. The words
 * for people travel separately, in a Fault (model/message.h). */
typedef enum Err {
    OK = 0,
    ERR_MORE,      /* not an error yet: the peer has not sent enough */
    ERR_MALFORMED, /* the peer broke its own protocol */
    ERR_LIMIT,     /* a bound we chose was reached, an allocation that failed included */
    ERR_REFUSED,   /* policy said no */
    ERR_IO,        /* the world failed us */
} Err;

/* The one macro that returns. Read it as "or give up". */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        const Err try_err_ = (call);                                                               \
        if (try_err_ != OK)                                                                        \
            return try_err_;                                                                       \
    } while (0)

/* A borrowed view: never freed, valid only as long as what it points into. */
typedef struct Bytes {
    const uint8_t *ptr;
    size_t len;
} Bytes;

/* A view of a string literal, without its NUL. */
#define LIT(literal) ((Bytes){ (const uint8_t *)(literal), sizeof(literal) - 1 })
/* The same as a constant initialiser of a static table. */
#define LIT_INIT(literal)                                                                          \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
/* A view of a whole array or struct in memory. */
#define VIEW(array) ((Bytes){ (const uint8_t *)&(array), sizeof(array) })
/* Arguments for a "%.*s". Lengths beyond INT_MAX never reach a format: every text is bounded. */
#define SHOW(b) (int)(b).len, (b).ptr != NULL ? (const char *)(b).ptr : ""

static inline Bytes bytes_from(Bytes b, size_t at)
{
    assert(at <= b.len);
    return at == 0 ? b : (Bytes){ b.ptr + at, b.len - at };
}

static inline Bytes bytes_upto(Bytes b, size_t len)
{
    assert(len <= b.len);
    return (Bytes){ b.ptr, len };
}

#endif
