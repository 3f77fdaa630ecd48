/* view_tree_dump < trees: for each tree (they end with 0x1e) a line "attnum:oid:attnum …". */
#include "base/text.h"
#include "lang/sql/view_tree.h"

#include <stdio.h>

static ViewColumn columns[VIEW_TREE_COLUMNS_MAX];
static uint8_t input[16 << 20];

int main(void)
{
    Bytes rest = { input, fread(input, 1, sizeof input, stdin) };

    while (rest.len > 0) {
        const size_t end = text_find(rest, LIT("\x1e"));
        size_t count = 0;

        if (view_tree_origins(bytes_upto(rest, end), columns, &count) != OK)
            printf("malformed");
        for (size_t i = 0; i < count; i++)
            printf("%d:%u:%d ", columns[i].attnum, columns[i].origin.oid, columns[i].origin.attnum);
        printf("\n");
        rest = bytes_from(rest, end < rest.len ? end + 1 : end);
    }
    return 0;
}
