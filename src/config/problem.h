/* Mistakes in a file, each at its line and column, printed as a compiler does:
 *
 *     chaperone.yaml:12:7: error: unknown key `membres` in roles[]; did you mean `members`?
 *           membres: ["user:dana"]
 *           ^~~~~~~
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "base/arena.h"
#include "base/buf.h"

enum { PROBLEMS_MAX = 100 };

/* Lines and columns count from 1, columns in characters. */
typedef struct Place {
    uint32_t line, column;
    uint32_t width; /* characters to underline; 0: the caret alone */
} Place;

typedef struct Problem {
    Place place;
    bool warning;
    Bytes text;
} Problem;

typedef struct Problems {
    Problem at[PROBLEMS_MAX]; /* in the order of the file once loaded */
    size_t count;
    size_t errors;  /* of all, listed or not */
    size_t dropped; /* beyond PROBLEMS_MAX */
} Problems;

/* Never fails: without memory for words the place alone is kept. */
void problem_add(Problems *p, Arena *arena, Problem what, const char *format, ...)
    PRINTF_LIKE(4, 5);
void problems_sort(Problems *p);
Err problems_print(const Problems *p, Bytes file, const char *filename, Buf *out) MUST_CHECK;

/* The candidate that `word` most likely stands for, empty when none is near. */
typedef struct Nearest {
    Bytes word, best;
    size_t distance;
} Nearest;

Nearest nearest_to(Bytes word);
void nearest_offer(Nearest *n, Bytes candidate);

#endif
