#include "evidence/audit_files.h"

#include "base/reader.h"
#include "base/text.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUDGET = 512 << 20, LIST_ARENA = 64 << 20, LOG_ENTRY = 8 + HASH_BYTES, NAME_CHARS = 20 };

AuditFilePath audit_segment_path(const char *journal, uint64_t id)
{
    AuditFilePath path;

    (void)snprintf(path.text, sizeof path.text, "%s/%016" PRIx64 ".seg", journal, id);
    return path;
}

static AuditFilePath beside(const char *journal, const char *name)
{
    AuditFilePath path;

    (void)snprintf(path.text, sizeof path.text, "%s/%s", journal, name);
    return path;
}

/* --- the folder --------------------------------------------------------------------------- */

typedef struct Listing {
    Arena *arena;
    uint64_t *at;
    size_t count, room;
} Listing;

static bool segment_id(const char *name, uint64_t *ret)
{
    char again[NAME_CHARS + 1];
    char *end;

    if (strlen(name) != NAME_CHARS)
        return false;
    *ret = strtoull(name, &end, 16);
    (void)snprintf(again, sizeof again, "%016" PRIx64 ".seg", *ret);
    return strcmp(again, name) == 0;
}

static Err list_one(void *ctx, const char *name)
{
    Listing *l = ctx;
    uint64_t id;
    void *mem;

    if (!segment_id(name, &id))
        return OK;
    if (l->count == l->room) {
        const size_t room = l->room > 0 ? 2 * l->room : 64;
        TRY(arena_array(l->arena, room, sizeof *l->at, &mem));
        if (l->count > 0)
            memcpy(mem, l->at, l->count * sizeof *l->at);
        l->at = mem;
        l->room = room;
    }
    l->at[l->count++] = id;
    return OK;
}

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

Err audit_files_list(const char *journal, Arena *a, SegmentIds *ret)
{
    Listing l = { .arena = a };

    TRY(dir_each(journal, list_one, &l));
    if (l.count > 0)
        qsort(l.at, l.count, sizeof *l.at, by_id);
    *ret = (SegmentIds){ l.at, l.count };
    return OK;
}

/* --- feeding the verifier ----------------------------------------------------------------- */

typedef struct Run {
    AuditVerify *verify;
    const AuditFiles *files;
    Arena arena;
    const char *what; /* is being read */
    Bytes epochs[AUDIT_EPOCHS_MAX];
    size_t epoch_count;
} Run;

static Err feed_seals(Run *r)
{
    Bytes file;
    Err err = OK;

    r->what = "seals";
    TRY(file_map(beside(r->files->journal, "seals").text, &file));
    for (Bytes rest = file; err == OK && rest.len >= SEAL_BYTES;
         rest = bytes_from(rest, SEAL_BYTES)) {
        Seal seal;
        /* What is no seal vouches for nothing; the segment then shows as unsealed. */
        if (seal_decode(bytes_upto(rest, SEAL_BYTES), &seal) == OK)
            err = audit_verify_seal(r->verify, &seal);
    }
    file_unmap(file);
    return err;
}

static Err feed_checkpoint(Run *r)
{
    CLEANUP(buf_done) Buf note = { 0 };

    r->what = "checkpoint";
    buf_init(&note, CHECKPOINT_MAX);
    TRY(file_read_all(beside(r->files->journal, "checkpoint").text, &note));
    TRY(audit_verify_checkpoint(r->verify, buf_view(&note)));
    for (size_t i = 0; i < r->epoch_count; i++)
        TRY(audit_verify_checkpoint(r->verify, r->epochs[i]));
    r->what = "anchor";
    for (size_t i = 0; i < r->files->anchor_count; i++)
        TRY(audit_verify_checkpoint(r->verify, r->files->anchors[i]));
    return OK;
}

static Err feed_log(Run *r)
{
    Bytes file;
    Err err = OK;

    r->what = "log";
    TRY(file_map(beside(r->files->journal, "log").text, &file));
    for (Bytes rest = file; err == OK && rest.len >= LOG_ENTRY;
         rest = bytes_from(rest, LOG_ENTRY)) {
        Reader entry = reader_of(rest);
        uint64_t segment;
        Hash leaf;

        err = reader_u64(&entry, &segment);
        memcpy(leaf.bytes, entry.rest.ptr, sizeof leaf.bytes);
        if (err == OK)
            err = audit_verify_log(r->verify, segment, &leaf);
    }
    file_unmap(file);
    return err;
}

static Err feed_segments(Run *r)
{
    SegmentIds ids;

    r->what = "segments";
    TRY(audit_files_list(r->files->journal, &r->arena, &ids));
    for (size_t i = 0; i < ids.count; i++) {
        const AuditFilePath path = audit_segment_path(r->files->journal, ids.at[i]);
        Bytes file;

        TRY(file_map(path.text, &file));
        /* Empty: handed out ahead of its use. If it ever held something, its seal, the log or
         * its writer's next records say so. */
        const Err err = file.len > 0 ? audit_verify_segment(r->verify, ids.at[i], file) : OK;
        file_unmap(file);
        TRY(err);
    }
    return OK;
}

/* epoch-1, epoch-2, … as far as they go; each is also a checkpoint that has to hold. */
static Err feed_epochs(Run *r)
{
    r->what = "epoch";
    for (unsigned i = 1; i <= AUDIT_EPOCHS_MAX; i++) {
        CLEANUP(buf_done) Buf note = { 0 };
        char name[24];
        Bytes kept;

        buf_init(&note, CHECKPOINT_MAX);
        (void)snprintf(name, sizeof name, "epoch-%u", i);
        if (file_read_all(beside(r->files->journal, name).text, &note) != OK)
            return errno == ENOENT ? OK : ERR_IO;
        TRY(arena_copy(&r->arena, buf_view(&note), &kept));
        TRY(audit_verify_epoch(r->verify, kept));
        r->epochs[r->epoch_count++] = kept;
    }
    return OK;
}

static Err feed(Run *r)
{
    TRY(feed_epochs(r));
    TRY(feed_seals(r));
    for (size_t i = 0; i < r->files->live_count; i++)
        TRY(audit_verify_live(r->verify, r->files->live[i].bytes));
    TRY(feed_checkpoint(r));
    TRY(feed_log(r));
    return feed_segments(r);
}

static Err read_key(const AuditFiles *files, Buf *text, NoteKey *ret)
{
    if (files->public_key.len > 0)
        TRY(buf_append(text, files->public_key));
    else
        TRY(file_read_all(beside(files->journal, "public.key").text, text));
    return note_key_parse(text_trim(buf_view(text)), ret);
}

Err audit_files_verify(const AuditFiles *files, AuditVerdict *ret, const char **ret_what)
{
    CLEANUP(audit_verify_done) AuditVerify verify = { 0 };
    CLEANUP(buf_done) Buf key_text = { 0 };
    Run run = { .verify = &verify, .files = files };
    NoteKey key;

    *ret_what = "public.key";
    buf_init(&key_text, 4096);
    TRY(read_key(files, &key_text, &key));
    TRY(audit_verify_init(&verify, &key, files->found, files->ctx, BUDGET));
    arena_init(&run.arena, LIST_ARENA);
    const Err err = feed(&run);
    arena_done(&run.arena);
    *ret_what = run.what;
    TRY(err);
    *ret = audit_verify_finish(&verify);
    return OK;
}
