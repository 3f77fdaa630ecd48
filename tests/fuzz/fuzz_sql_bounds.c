/* Our lexer must see the boundaries that PostgreSQL sees, and the bounds must never crash. */
#include "base/text.h"
#include "lang/sql/sql_bounds.h"
#include "scan_compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

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

        if (difference != NULL) {
            fprintf(stderr, "%s\n", difference);
            abort();
        }
        free(string);
    }
    return 0;
}
