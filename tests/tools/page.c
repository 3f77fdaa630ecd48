/* Prints a page that is made from a table; with a file, tells whether that is what it holds. */
#include "base/text.h"
#include "cli/manual.h"
#include "config/config.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 1 << 20 };

static const struct {
    const char *name;
    Err (*make)(Buf *out);
} PAGES[] = {
    { "configuration.md", config_reference },
    { "chaperone.1", cli_manual },
    { "chaperone.yaml.5", config_manual },
};

static int compare(Bytes page, const char *name, const char *path)
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
    fprintf(stderr, "%s is out of date; write it again: page %s > %s\n", path, name, path);
    return 1;
}

int main(int argc, char **argv)
{
    CLEANUP(buf_done) Buf page = { 0 };

    buf_init(&page, PAGE_MAX);
    for (size_t i = 0; argc > 1 && i < COUNT_OF(PAGES); i++) {
        if (strcmp(argv[1], PAGES[i].name) != 0)
            continue;
        if (PAGES[i].make(&page) != OK)
            return 1;
        if (argc > 2)
            return compare(buf_view(&page), argv[1], argv[2]);
        return fwrite(buf_view(&page).ptr, 1, buf_len(&page), stdout) == buf_len(&page) ? 0 : 1;
    }
    fprintf(stderr, "usage: page NAME [FILE]\n");
    return 2;
}
