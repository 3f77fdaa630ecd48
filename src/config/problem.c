#include "config/problem.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 512, WORD_MAX = 32, NEAR = 2, SOURCE_MAX = 400 };

void problem_add(Problems *p, Arena *arena, Problem what, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    p->errors += !what.warning;
    if (p->count == PROBLEMS_MAX) {
        p->dropped++;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    if (arena_copy(arena, utf8_upto(text_of(text), TEXT_MAX - 4), &what.text) != OK)
        what.text = LIT("out of memory");
    p->at[p->count++] = what;
}

static bool is_before(Place a, Place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void problems_sort(Problems *p)
{
    for (size_t i = 1; i < p->count; i++) {
        const Problem moving = p->at[i];
        size_t to = i;

        for (; to > 0 && is_before(moving.place, p->at[to - 1].place); to--)
            p->at[to] = p->at[to - 1];
        p->at[to] = moving;
    }
}

static Bytes line_of(Bytes file, uint32_t number)
{
    for (uint32_t line = 1; line < number; line++) {
        const size_t end = text_find(file, LIT("\n"));

        if (end == file.len)
            return (Bytes){ 0 };
        file = bytes_from(file, end + 1);
    }
    const Bytes line = bytes_upto(file, text_find(file, LIT("\n")));

    return utf8_upto(line, SOURCE_MAX);
}

/* Tabs stay, so that the caret below stands where the eye expects it. */
static Err put_caret(Place place, Bytes line, Buf *out)
{
    uint32_t column = 1;

    for (size_t i = 0; i < line.len && column < place.column; i++) {
        if ((line.ptr[i] & 0xC0) == 0x80)
            continue;
        TRY(buf_byte(out, line.ptr[i] == '\t' ? '\t' : ' '));
        column++;
    }
    TRY(buf_byte(out, '^'));
    for (uint32_t i = 1; i < place.width && i < SOURCE_MAX; i++)
        TRY(buf_byte(out, '~'));
    return buf_byte(out, '\n');
}

static Err put_source(Bytes line, Buf *out)
{
    for (size_t i = 0; i < line.len; i++) {
        const uint8_t c = line.ptr[i];
        const bool shown = (c >= 0x20 && c != 0x7f) || c == '\t';

        if (c == '\r' && i + 1 == line.len)
            break;
        TRY(buf_byte(out, shown ? c : '?'));
    }
    return buf_byte(out, '\n');
}

Err problems_print(const Problems *p, Bytes file, const char *filename, Buf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        const Problem *x = &p->at[i];
        const Bytes line = line_of(file, x->place.line);

        TRY(text_format(out, "%s:%u:%u: %s: %.*s\n", filename, x->place.line, x->place.column,
                        x->warning ? "warning" : "error", SHOW(x->text)));
        TRY(put_source(line, out));
        TRY(put_caret(x->place, line, out));
    }
    if (p->dropped > 0)
        TRY(text_format(out, "%s: %zu more problems are not shown\n", filename, p->dropped));
    return OK;
}

Nearest nearest_to(Bytes word)
{
    return (Nearest){ .word = word, .distance = NEAR + 1 };
}

static size_t least(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(Bytes a, Bytes b)
{
    size_t row[WORD_MAX + 1];

    for (size_t k = 0; k <= b.len; k++)
        row[k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            const size_t change = diagonal + (a.ptr[i - 1] != b.ptr[k - 1]);

            diagonal = row[k];
            row[k] = least(change, row[k] + 1, row[k - 1] + 1);
        }
    }
    return row[b.len];
}

void nearest_offer(Nearest *n, Bytes candidate)
{
    if (n->word.len > WORD_MAX || candidate.len > WORD_MAX)
        return;
    const size_t d = distance(n->word, candidate);

    /* One slip in a short word, two in a long one: "al" is not "any". */
    const bool near = d <= candidate.len / 3 || (d == 1 && candidate.len > 1);

    if (near && d < n->distance) {
        n->distance = d;
        n->best = candidate;
    }
}
