/* Our lexer must see the boundaries that PostgreSQL sees, the bounds must never crash, and another
 * text made of a shape must have that shape, for us and token by token for PostgreSQL. */
#include "base/buf.h"
#include "base/text.h"
#include "lang/sql/sql_bounds.h"
#include "lang/sql/sql_shape.h"
#include "scan_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void die(const char *why)
{
    fprintf(stderr, "%s\n", why);
    abort();
}

/* Other literals in the places of these. */
static Err put_sibling(Bytes text, const LangShape *shape, Buf *out)
{
    size_t at = 0;

    for (size_t i = 0; i < shape->count; i++) {
        const LangLiteral *l = &shape->literals[i];

        TRY(buf_append(out, bytes_upto(bytes_from(text, at), l->start - at)));
        TRY(buf_append(out, text.ptr[l->start] == '\'' ? LIT("' -- ''/*'") : LIT("42")));
        at = l->end;
    }
    TRY(buf_append(out, bytes_from(text, at)));
    return buf_byte(out, 0);
}

static void compare_sibling(Bytes text)
{
    CLEANUP(buf_done) Buf key = { 0 };
    CLEANUP(buf_done) Buf own_key = { 0 };
    CLEANUP(buf_done) Buf sibling = { 0 };
    LangShape shape, own;

    buf_init(&key, 4 << 20);
    buf_init(&own_key, 4 << 20);
    buf_init(&sibling, 4 << 20);
    if (sql_shape(text, &key, &shape) != OK || put_sibling(text, &shape, &sibling) != OK)
        return;
    const Bytes other = bytes_upto(buf_view(&sibling), buf_len(&sibling) - 1);

    if (sql_shape(other, &own_key, &own) != OK || !text_eq(buf_view(&key), buf_view(&own_key)))
        die("a text made of a shape has another");
    if (!scan_same_tokens(text, other))
        die("two texts of one shape are other tokens for PostgreSQL");
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    SqlBounds bounds;
    const Bytes exact = { input, size };

    if (sql_bounds(exact, &bounds) == OK) {
        uint8_t *string = malloc(size + 1);

        if (string == NULL)
            return 0;
        if (size > 0)
            memcpy(string, input, size);
        string[size] = 0;
        const char *difference = scan_difference((Bytes){ string, size });

        if (difference != NULL)
            die(difference);
        compare_sibling((Bytes){ string, size });
        free(string);
    }
    return 0;
}
