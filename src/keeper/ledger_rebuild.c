#include "keeper/ledger_rebuild.h"

#include "base/arena.h"
#include "base/reader.h"
#include "sys/file.h"
#include "sys/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_ARENA = 256 << 20 };

typedef struct Sealed {
    uint64_t log_start, count, id;
} Sealed;

typedef struct SealedList {
    Sealed *at;
    size_t count, room;
} SealedList;

/* A table that is being made, beside the one whose place it takes. */
typedef struct Table {
    SegmentPath path, beside;
    File file;
} Table;

/* --- which segments, in which order ------------------------------------------------------- */

static Err list_sealed(void *ctx, const StoreSegment *segment)
{
    SealedList *l = ctx;

    if (segment->state != SEGMENT_SEALED)
        return OK;
    if (l->count == l->room)
        return ERR_LIMIT;
    l->at[l->count++] = (Sealed){ segment->log_start, segment->count, segment->id };
    return OK;
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Segments without a record begin where the one that was merged after them begins. */
static int by_place(const void *a, const void *b)
{
    const Sealed *x = a, *y = b;

    if (x->log_start != y->log_start)
        return compare(x->log_start, y->log_start);
    if (x->count != y->count)
        return compare(x->count, y->count);
    return compare(x->id, y->id);
}

static Err list(const Ledger *l, Arena *arena, SealedList *ret)
{
    uint64_t count;
    void *mem;

    TRY(store_segment_count(l->store, &count));
    TRY(arena_array(arena, (size_t)count + 1, sizeof(Sealed), &mem));
    *ret = (SealedList){ .at = mem, .room = (size_t)count };
    TRY(store_segment_each(l->store, &(SegmentFilter){ 0 }, list_sealed, ret));
    qsort(ret->at, ret->count, sizeof *ret->at, by_place);
    return OK;
}

/* --- writing ------------------------------------------------------------------------------ */

static Err table_begin(const Ledger *l, const char *name, Table *ret)
{
    ret->file.fd = -1;
    (void)snprintf(ret->path.text, sizeof ret->path.text, "%s/%s", l->journal, name);
    (void)snprintf(ret->beside.text, sizeof ret->beside.text, "%s/%s.new", l->journal, name);
    return file_open(ret->beside.text, O_WRONLY | O_CREAT | O_TRUNC, 0600, &ret->file);
}

static Err table_end(Table *t)
{
    TRY(file_sync(t->file.fd));
    return rename(t->beside.text, t->path.text) == 0 ? OK : ERR_IO;
}

static void append_leaves(MerkleRange *range, Bytes entries)
{
    for (; entries.len >= LOG_ENTRY; entries = bytes_from(entries, LOG_ENTRY)) {
        Hash leaf;

        memcpy(leaf.bytes, entries.ptr + LOG_ENTRY - HASH_BYTES, sizeof leaf.bytes);
        merkle_append(range, &leaf);
    }
}

static Err write_segment(const Ledger *l, const Sealed *sealed, const Table tables[2],
                         MerkleRange *range)
{
    const SegmentPath path = segment_path(l->journal, sealed->id);
    SegmentReading reading;
    uint8_t seal[SEAL_BYTES];

    Err err = segment_file_look(path.text, sealed->id, &reading);
    if (err == OK && (reading.step != SEGMENT_END || sealed->log_start != range->size))
        err = ERR_REFUSED;
    if (err == OK) {
        seal_encode(&reading.seal, seal);
        append_leaves(range, buf_view(&reading.log));
        err = file_write_all(tables[0].file.fd, buf_view(&reading.log));
    }
    if (err == OK)
        err = file_write_all(tables[1].file.fd, VIEW(seal));
    segment_reading_done(&reading);
    if (err != OK)
        log_line(LOG_ERROR, "ledger", "segment %llu is missing, or is not what was signed",
                 (unsigned long long)sealed->id);
    return err;
}

static bool is_as_signed(const Ledger *l, const MerkleRange *range, size_t seals)
{
    const Hash made = merkle_root(range), was = merkle_root(&l->range);

    return range->size == l->range.size && hash_eq(&made, &was) && seals == l->seals;
}

static Err write_all(const Ledger *l, const SealedList *sealed, Table tables[2])
{
    MerkleRange range = { 0 };

    TRY(table_begin(l, "log", &tables[0]));
    TRY(table_begin(l, "seals", &tables[1]));
    for (size_t i = 0; i < sealed->count; i++)
        TRY(write_segment(l, &sealed->at[i], tables, &range));
    if (!is_as_signed(l, &range, sealed->count)) {
        log_line(LOG_ERROR, "ledger", "the segments do not give what was signed");
        return ERR_REFUSED;
    }
    TRY(table_end(&tables[0]));
    TRY(table_end(&tables[1]));
    return dir_sync(l->journal);
}

Err ledger_rebuild(const Ledger *l)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    SealedList sealed;
    Table tables[2] = { { .file = { -1 } }, { .file = { -1 } } };

    arena_init(&arena, LIST_ARENA);
    TRY(list(l, &arena, &sealed));
    const Err err = write_all(l, &sealed, tables);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        file_done(&tables[i].file);
        if (err != OK && tables[i].beside.text[0] != '\0')
            (void)unlink(tables[i].beside.text);
    }
    return err;
}
