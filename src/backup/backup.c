#include "backup/backup.h"

#include "backup/archive.h"
#include "base/reader.h"
#include "base/text.h"
#include "journal/audit_verify.h"
#include "keeper/ledger.h"
#include "keeper/segment_file.h"
#include "store/store_session.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 64 << 20 };

typedef struct Backup {
    const Storage *storage;
    Arena arena;
    const char *state, *journal, *path;
    char copy[SEGMENT_PATH_MAX]; /* of the store */
    Store *store;                /* the copy */
    ArchiveWriter archive;
    uint64_t seals, size; /* of the ledger, as the copy knows it */
    const char *why;
} Backup;

static Err put_part(Backup *b, const char *name, const char *path, uint64_t size)
{
    Bytes file;

    if (file_map(path, &file) != OK)
        return ERR_IO;
    Err err = file.len < size ? ERR_MALFORMED : archive_file(&b->archive, name, size);
    if (err == OK)
        err = archive_put(&b->archive, bytes_upto(file, (size_t)size));
    file_unmap(file);
    return err;
}

static Err put_text(Backup *b, const char *name, Bytes text)
{
    TRY(archive_file(&b->archive, name, text.len));
    return archive_put(&b->archive, text);
}

/* --- the store ---------------------------------------------------------------------------- */

static Err copy_store(Backup *b)
{
    Store *live;

    b->why = "the state cannot be read";
    TRY(store_open(b->state, STORE_READ, &live));
    const Err err = store_copy(live, b->copy);
    store_close(live);
    TRY(err);
    return store_open(b->copy, STORE_READ, &b->store);
}

static Err read_ledger(Backup *b)
{
    CLEANUP(buf_done) Buf state = { 0 };

    b->why = "the state knows no ledger: has the gateway ever run?";
    buf_init(&state, 1 << 16);
    const Err err = store_meta_get(b->store, "ledger", &state);
    if (err == ERR_MORE)
        return ERR_MALFORMED;
    TRY(err);
    Reader r = reader_of(buf_view(&state));
    TRY(reader_u64(&r, &b->seals));
    return reader_u64(&r, &b->size);
}

static Err put_store(Backup *b)
{
    CLEANUP(file_done) File f = { .fd = -1 };
    uint64_t size;

    b->why = "the state cannot be written";
    TRY(file_open(b->copy, O_RDONLY, 0, &f));
    TRY(file_size(f.fd, &size));
    return put_part(b, "state.db", b->copy, size);
}

/* --- the journal -------------------------------------------------------------------------- */

static Err put_table(Backup *b, const char *file, uint64_t size)
{
    char path[SEGMENT_PATH_MAX], name[ARCHIVE_NAME_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", b->journal, file);
    (void)snprintf(name, sizeof name, "journal/%s", file);
    return put_part(b, name, path, size);
}

/* Is this the beginning of a session that the copy of the store does not know? */
static bool is_later(Backup *b, const SegmentFrame *f)
{
    StoreSession session;
    Id id;

    if (f->leaf.type != LEAF_SESSION_START)
        return false;
    memcpy(id.bytes, f->leaf.session_id, sizeof id.bytes);
    return store_session_get(b->store, &id, &b->arena, &session) == ERR_MORE;
}

/* How much of an open segment belongs to the copy of the store: whole records, up to the first
 * session that began after it. What the store knows to have ended was written before that. */
static Err settled_length(Backup *b, const char *path, uint64_t *ret)
{
    SegmentReader r;
    SegmentFrame f;
    Bytes file;

    *ret = 0;
    if (file_map(path, &file) != OK)
        return errno == ENOENT ? OK : ERR_IO; /* given ahead, and not begun */
    if (segment_reader_init(&r, file) == OK)
        while (segment_next(&r, &f) == SEGMENT_RECORD && !is_later(b, &f))
            *ret = r.at;
    file_unmap(file);
    return OK;
}

/* Open ones are recovered at the first start after a restore, as after a crash. */
static Err put_segment(void *ctx, const StoreSegment *segment)
{
    Backup *b = ctx;
    const SegmentPath path = segment_path(b->journal, segment->id);
    uint64_t length = segment->length;
    char file[32];

    if (segment->state != SEGMENT_SEALED)
        TRY(settled_length(b, path.text, &length));
    if (length == 0)
        return OK;
    (void)snprintf(file, sizeof file, "%016" PRIx64 ".seg", segment->id);
    return put_table(b, file, length);
}

static Err put_epochs(Backup *b)
{
    for (unsigned i = 1; i <= AUDIT_EPOCHS_MAX; i++) {
        CLEANUP(buf_done) Buf note = { 0 };
        char path[SEGMENT_PATH_MAX], name[ARCHIVE_NAME_MAX];

        (void)snprintf(path, sizeof path, "%s/epoch-%u", b->journal, i);
        (void)snprintf(name, sizeof name, "journal/epoch-%u", i);
        buf_init(&note, CHECKPOINT_MAX);
        if (file_read_all(path, &note) != OK)
            return errno == ENOENT ? OK : ERR_IO;
        TRY(put_text(b, name, buf_view(&note)));
    }
    return OK;
}

static Err put_journal(Backup *b)
{
    CLEANUP(buf_done) Buf note = { 0 };

    b->why = "the journal cannot be read, or lacks what the state knows of";
    TRY(put_table(b, "log", b->size * LOG_ENTRY));
    TRY(put_table(b, "seals", b->seals * SEAL_BYTES));
    buf_init(&note, CHECKPOINT_MAX);
    TRY(store_checkpoint_newest(b->store, &note));
    TRY(put_text(b, "journal/checkpoint", buf_view(&note)));
    TRY(put_epochs(b));
    return store_segment_each(b->store, &(SegmentFilter){ 0 }, put_segment, b);
}

/* --- all of it ---------------------------------------------------------------------------- */

static Err put_all(Backup *b)
{
    TRY(put_store(b));
    TRY(put_journal(b));
    b->why = "the backup cannot be written";
    return archive_end(&b->archive);
}

static Err begin_archive(Backup *b, int fd)
{
    uint8_t recipient[BOX_KEY], root[ROOT_KEY_BYTES];

    b->why = "storage.recovery_key is no key";
    TRY(recovery_public_read(b->storage->recovery_key, recipient));
    b->why = "the root key cannot be read";
    Err err = keys_root(b->storage, root);
    if (err == OK) {
        b->why = "storage.recovery_key cannot be used, or the backup cannot be written";
        err = archive_begin(&b->archive, fd, recipient, root);
    }
    explicit_bzero(root, sizeof root);
    return err;
}

static Err write_archive(Backup *b)
{
    CLEANUP(file_done) File f = { .fd = -1 };

    TRY(copy_store(b));
    TRY(read_ledger(b));
    b->why = "the backup cannot be made; it must not be there yet";
    TRY(file_open(b->path, O_WRONLY | O_CREAT | O_EXCL, 0600, &f));
    Err err = begin_archive(b, f.fd);
    if (err == OK)
        err = put_all(b);
    archive_writer_done(&b->archive);
    if (err != OK)
        (void)unlink(b->path);
    return err;
}

static Err name_files(Backup *b)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");

    arena_init(&b->arena, ARENA_MAX);
    TRY(arena_string(&b->arena, bytes_from(b->storage->state, SQLITE.len), &b->state));
    TRY(arena_string(&b->arena, b->storage->journal, &b->journal));
    const int n = snprintf(b->copy, sizeof b->copy, "%s.state", b->path);
    return n > 0 && (size_t)n < sizeof b->copy ? OK : ERR_LIMIT;
}

Err backup_write(const Storage *storage, const char *path, BackupDone *ret, const char **ret_why)
{
    Backup b = { .storage = storage, .path = path, .why = "the names are too long" };
    const mode_t before = umask(077);

    Err err = name_files(&b);
    if (err == OK) {
        err = write_archive(&b);
        const int why = errno;
        store_close(b.store);
        (void)unlink(b.copy);
        errno = why;
    }
    (void)umask(before);
    arena_done(&b.arena);
    *ret = (BackupDone){ .segments = b.seals, .records = b.size };
    *ret_why = b.why;
    return err;
}
