/* The whole test framework: a test file is a main() of TEST(name) calls; each prints a line. */
#ifndef TEST_H
#define TEST_H
#include <stdio.h>
#include <stdlib.h>
#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #cond);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define TEST(body)                                                                                 \
    do {                                                                                           \
        body();                                                                                    \
        printf("ok %s\n", #body);                                                                  \
    } while (0)
#endif
