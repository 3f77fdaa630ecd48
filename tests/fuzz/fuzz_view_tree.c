#include "lang/sql/view_tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    static ViewColumn columns[VIEW_TREE_COLUMNS_MAX];
    size_t count = 0;

    if (view_tree_origins((Bytes){ input, size }, columns, &count) != OK)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (columns[i].attnum < 1)
            abort();
    return 0;
}
