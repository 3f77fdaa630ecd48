#include "supervisor/loaded.h"

#include "base/text.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Err read_public_files(Loaded *l, Buf *packed, Buf *words)
{
    const char *path;

    buf_init(packed, PUBLIC_FILES_MAX);
    const Err err = public_files_read(&l->config, &l->arena, packed, &path);
    if (err != OK)
        TRY(text_format(words, "cannot read %s: %s", path,
                        err == ERR_IO ? strerror(errno) : "it is too large"));
    return err;
}

static Err seal(Loaded *l, Bytes yaml, Bytes public_files, Buf *words)
{
    const Edition e = { l->epoch, yaml, public_files };
    const Err err = edition_seal(&e, &l->fd);

    if (err != OK)
        TRY(text_format(words, "no memory for the configuration: %s", strerror(errno)));
    return err;
}

static Err read_into(const char *path, Loaded *l, Buf *words)
{
    CLEANUP(buf_done) Buf yaml = { 0 }, files = { 0 };
    Problems problems = { 0 };

    buf_init(&yaml, CONFIG_BYTES_MAX);
    arena_init(&l->arena, CONFIG_ARENA_BYTES);
    if (file_read_all(path, &yaml) != OK) {
        TRY(text_format(words, "cannot read %s: %s", path, strerror(errno)));
        return ERR_IO;
    }
    const Err err = config_load(buf_view(&yaml), &l->arena, &l->config, &problems);
    /* So many mistakes that they do not fit are told as far as they do. */
    (void)!problems_print(&problems, buf_view(&yaml), path, words);
    TRY(err);
    TRY(read_public_files(l, &files, words));
    return seal(l, buf_view(&yaml), buf_view(&files), words);
}

Err loaded_read(const char *path, uint64_t epoch, Loaded **ret, Buf *words)
{
    Loaded *l = calloc(1, sizeof *l);

    if (l == NULL)
        return ERR_LIMIT;
    l->epoch = epoch;
    l->fd = -1;
    const Err err = read_into(path, l, words);
    if (err != OK) {
        loaded_free(l);
        return err;
    }
    *ret = l;
    return OK;
}

void loaded_free(Loaded *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0)
        close(l->fd);
    arena_done(&l->arena);
    free(l);
}

const Loaded *loaded_of(const Loaded *newest, uint64_t epoch)
{
    for (const Loaded *l = newest; l != NULL; l = l->older)
        if (l->epoch == epoch)
            return l;
    return NULL;
}

void loaded_enter(Loaded **newest, Loaded *fresh)
{
    Loaded *last = fresh;

    fresh->older = *newest;
    *newest = fresh;
    for (int i = 1; i < LOADED_KEPT && last != NULL; i++)
        last = last->older;
    if (last == NULL)
        return;
    loaded_free(last->older); /* one more each time, so there is one at most */
    last->older = NULL;
}
