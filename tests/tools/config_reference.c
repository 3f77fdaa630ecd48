/* Prints the configuration reference; with a file, tells whether that is what it holds. */
#include "base/text.h"
#include "config/config.h"

#include <stdio.h>

enum { PAGE_MAX = 1 << 20 };

static int compare(Bytes page, const char *path)
{
    static char held[PAGE_MAX];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        return 1;
    }
    const size_t len = fread(held, 1, sizeof held, file);

    (void)fclose(file);
    if (text_eq(page, (Bytes){ (const uint8_t *)held, len }))
        return 0;
    fprintf(stderr, "%s is out of date; write it again: config_reference > %s\n", path, path);
    return 1;
}

int main(int argc, char **argv)
{
    CLEANUP(buf_done) Buf page;

    buf_init(&page, PAGE_MAX);
    if (config_reference(&page) != OK)
        return 1;
    if (argc > 1)
        return compare(buf_view(&page), argv[1]);
    return fwrite(buf_view(&page).ptr, 1, buf_len(&page), stdout) == buf_len(&page) ? 0 : 1;
}
