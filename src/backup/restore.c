#include "backup/restore.h"

#include "backup/archive.h"
#include "base/text.h"
#include "keeper/epoch_begin.h"
#include "keeper/segment_file.h"
#include "store/store_segment.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything is made under names of its own, and moved when it is whole. */
typedef struct Site {
    const Restore *wish;
    Arena arena;
    const char *state, *journal;
    char folder[SEGMENT_PATH_MAX]; /* of the state, with the slash */
    char new_state[SEGMENT_PATH_MAX], new_journal[SEGMENT_PATH_MAX];
    bool write; /* else only prove */
    bool has_state, has_log;
    const char *why;
} Site;

/* --- names -------------------------------------------------------------------------------- */

static Err name_site(Site *p)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Storage *s = p->wish->storage;

    TRY(arena_string(&p->arena, bytes_from(s->state, SQLITE.len), &p->state));
    TRY(arena_string(&p->arena, s->journal, &p->journal));
    if (strlen(p->state) + 64 > sizeof p->folder || strlen(p->journal) + 64 > sizeof p->new_journal)
        return ERR_LIMIT;
    const char *slash = strrchr(p->state, '/');
    (void)snprintf(p->folder, sizeof p->folder, "%.*s", (int)(slash - p->state) + 1, p->state);
    (void)snprintf(p->new_state, sizeof p->new_state, "%s.restoring", p->state);
    (void)snprintf(p->new_journal, sizeof p->new_journal, "%s.restoring", p->journal);
    return OK;
}

static Err none(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return ERR_REFUSED;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* rmdir(2)'s view: an empty folder is as good as none. */
static Err check_empty(Site *p)
{
    char key[SEGMENT_PATH_MAX + 16];

    (void)snprintf(key, sizeof key, "%sroot.key", p->folder);
    p->why = "storage.root_key must be `auto` where a backup is restored: the key comes with it";
    if (!text_eq(p->wish->storage->root_key, LIT("auto")))
        return ERR_REFUSED;
    p->why = "there is a state or a root key already; nothing is overwritten";
    if (is_there(p->state) || is_there(key))
        return ERR_REFUSED;
    p->why = "the journal's folder is not empty; nothing is overwritten";
    if (is_there(p->journal) && dir_each(p->journal, none, NULL) != OK)
        return ERR_REFUSED;
    p->why = "a restore was cut short here: remove the files that end with .restoring";
    return is_there(p->new_state) || is_there(p->new_journal) ? ERR_REFUSED : OK;
}

/* --- files -------------------------------------------------------------------------------- */

static bool all_of(Bytes text, const char *chars)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\0' || strchr(chars, text.ptr[i]) == NULL)
            return false;
    return true;
}

/* 0123456789abcdef.seg */
static bool is_segment(Bytes file)
{
    return file.len == 20 && all_of(bytes_upto(file, 16), "0123456789abcdef") &&
           text_eq(bytes_from(file, 16), LIT(".seg"));
}

static bool is_epoch(Bytes file)
{
    static const Bytes PREFIX = LIT_INIT("epoch-");

    return text_starts(file, PREFIX) && file.len > PREFIX.len && file.len <= PREFIX.len + 2 &&
           all_of(bytes_from(file, PREFIX.len), "0123456789");
}

/* The names that a backup holds, and no others. */
static Err path_of(Site *p, Bytes name, char ret[SEGMENT_PATH_MAX])
{
    static const Bytes JOURNAL = LIT_INIT("journal/");

    if (text_eq(name, LIT("state.db"))) {
        p->has_state = true;
        (void)snprintf(ret, SEGMENT_PATH_MAX, "%s", p->new_state);
        return OK;
    }
    if (!text_starts(name, JOURNAL))
        return ERR_MALFORMED;
    const Bytes file = bytes_from(name, JOURNAL.len);
    const bool log = text_eq(file, LIT("log"));
    const int n = snprintf(ret, SEGMENT_PATH_MAX, "%s/%.*s", p->new_journal, SHOW(file));
    p->has_log = p->has_log || log;
    if (n < 0 || n >= SEGMENT_PATH_MAX)
        return ERR_LIMIT;
    return log || text_eq(file, LIT("seals")) || text_eq(file, LIT("checkpoint")) ||
                   is_segment(file) || is_epoch(file)
               ? OK
               : ERR_MALFORMED;
}

static Err take_file(Site *p, ArchiveReader *r, const char *name, uint64_t size)
{
    CLEANUP(file_done) File f = { .fd = -1 };
    char path[SEGMENT_PATH_MAX];

    TRY(path_of(p, text_of(name), path));
    if (p->write)
        TRY(file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &f));
    while (size > 0) {
        Bytes part;

        TRY(archive_take(r, size, &part));
        if (p->write)
            TRY(file_write_all(f.fd, part));
        size -= part.len;
    }
    return p->write ? file_sync(f.fd) : OK;
}

static Err take_files(Site *p, ArchiveReader *r)
{
    char name[ARCHIVE_NAME_MAX];
    uint64_t size;

    p->has_state = p->has_log = false;
    for (;;) {
        const Err err = archive_next(r, name, &size);

        if (err == ERR_MORE)
            return p->has_state && p->has_log ? OK : ERR_MALFORMED;
        TRY(err);
        TRY(take_file(p, r, name, size));
    }
}

static Err walk(Site *p, uint8_t ret_root[ROOT_KEY_BYTES])
{
    CLEANUP(file_done) File f = { .fd = -1 };
    ArchiveReader reader = { 0 };

    p->why = "the backup cannot be read";
    TRY(file_open(p->wish->path, O_RDONLY, 0, &f));
    Err err = archive_open(&reader, f.fd, p->wish->key, ret_root);
    if (err == ERR_REFUSED)
        p->why = "this backup was made for another recovery key";
    if (err == OK)
        err = take_files(p, &reader);
    if (err == ERR_MALFORMED)
        p->why = "this is no backup of chaperone, or it is damaged or cut short";
    archive_reader_done(&reader);
    return err;
}

/* --- owners ------------------------------------------------------------------------------- */

typedef struct Giving {
    const Site *site;
    const char *folder;
} Giving;

static Err give(const Site *p, const char *path)
{
    const uid_t owner = p->wish->owner;

    return owner == 0 || chown(path, owner, owner) == 0 ? OK : ERR_IO;
}

static Err give_one(void *ctx, const char *name)
{
    const Giving *g = ctx;
    char path[2 * SEGMENT_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", g->folder, name);
    return give(g->site, path);
}

static Err remove_one(void *ctx, const char *name)
{
    const Giving *g = ctx;
    char path[2 * SEGMENT_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", g->folder, name);
    return unlink(path) == 0 ? OK : ERR_IO;
}

/* SQLite's own files beside it, too. */
static void take_back(const Site *p)
{
    static const char *const ENDS[] = { "", "-wal", "-shm", "-journal" };
    Giving all = { p, p->new_journal };
    const int why = errno;

    for (size_t i = 0; i < COUNT_OF(ENDS); i++) {
        char path[SEGMENT_PATH_MAX + 16];

        (void)snprintf(path, sizeof path, "%s%s", p->new_state, ENDS[i]);
        (void)unlink(path);
    }
    (void)!dir_each(p->new_journal, remove_one, &all);
    (void)rmdir(p->new_journal);
    errno = why;
}

/* --- all of it ---------------------------------------------------------------------------- */

static Err make_folders(const Site *p)
{
    char folder[SEGMENT_PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%.*s", (int)strlen(p->folder) - 1, p->folder);
    if (!is_there(folder)) {
        TRY(dir_make(folder, 0700));
        TRY(give(p, folder));
    }
    return dir_make(p->new_journal, 0700);
}

/* As the keeper leaves what it has sealed. */
static Err close_sealed(void *ctx, const StoreSegment *segment)
{
    const Site *p = ctx;
    const SegmentPath path = segment_path(p->new_journal, segment->id);

    return segment->state != SEGMENT_SEALED || chmod(path.text, 0400) == 0 ? OK : ERR_IO;
}

static Err begin_epoch(Site *p, const uint8_t root[ROOT_KEY_BYTES], uint64_t *ret_records)
{
    Store *store = NULL;
    Keys keys = { 0 };

    p->why = "the restored state cannot be opened, or does not belong to the journal";
    TRY(keys_init(&keys, root));
    Err err = store_open(p->new_state, STORE_WRITE, &store);
    if (err == OK)
        err = epoch_begin(store, p->new_journal, &keys, clock_now(), ret_records);
    if (err == OK)
        err = store_segment_each(store, &(SegmentFilter){ 0 }, close_sealed, p);
    store_close(store);
    keys_done(&keys);
    return err;
}

static Err put_in_place(Site *p, const uint8_t root[ROOT_KEY_BYTES])
{
    Giving all = { p, p->new_journal };
    char key[SEGMENT_PATH_MAX + 16];

    p->why = "what was restored cannot be put in place";
    (void)snprintf(key, sizeof key, "%sroot.key", p->folder);
    TRY(dir_each(p->new_journal, give_one, &all));
    TRY(give(p, p->new_journal));
    TRY(give(p, p->new_state));
    if (rename(p->new_journal, p->journal) != 0)
        return ERR_IO;
    Err err = file_replace(key, (Bytes){ root, ROOT_KEY_BYTES }, 0600);
    if (err == OK)
        err = give(p, key);
    /* Last: where there is a state, the restore is whole. */
    if (err == OK && rename(p->new_state, p->state) != 0)
        err = ERR_IO;
    if (err == OK)
        return dir_sync(p->folder);
    (void)unlink(key);
    (void)!rename(p->journal, p->new_journal);
    return err;
}

static Err restore_into(Site *p, uint8_t root[ROOT_KEY_BYTES], uint64_t *ret_records)
{
    TRY(check_empty(p));
    TRY(walk(p, root));
    p->write = true;
    p->why = "the folders cannot be made";
    Err err = make_folders(p);
    if (err == OK)
        err = walk(p, root);
    if (err == OK)
        err = begin_epoch(p, root, ret_records);
    if (err == OK)
        err = put_in_place(p, root);
    if (err != OK)
        take_back(p);
    return err;
}

Err restore_run(const Restore *r, uint64_t *ret_records, const char **ret_why)
{
    uint8_t root[ROOT_KEY_BYTES] = { 0 };
    Site *p = calloc(1, sizeof *p);

    *ret_why = "out of memory";
    *ret_records = 0;
    if (p == NULL)
        return ERR_LIMIT;
    p->wish = r;
    p->why = "the names in the configuration are too long";
    arena_init(&p->arena, 1 << 20);
    Err err = name_site(p);
    if (err == OK)
        err = restore_into(p, root, ret_records);
    explicit_bzero(root, sizeof root);
    *ret_why = p->why;
    arena_done(&p->arena);
    free(p);
    return err;
}
