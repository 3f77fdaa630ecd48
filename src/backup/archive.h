/* A backup as a file: chaperone-backup(5). Encrypted to a recovery key, in chunks, so that no byte
 * is believed before it is proven and the end cannot be cut off unseen. */
#ifndef BACKUP_ARCHIVE_H
#define BACKUP_ARCHIVE_H

#include "backup/recovery_key.h"
#include "crypto/aead.h"
#include "keeper/keys.h"

enum {
    ARCHIVE_CHUNK = 64 << 10, /* of plain text */
    ARCHIVE_NAME_MAX = 64,
    ARCHIVE_PUBLIC_HEAD = 8 + BOX_KEY,
    ARCHIVE_HEAD = ARCHIVE_PUBLIC_HEAD + BOX_EXTRA + ROOT_KEY_BYTES + AEAD_KEY,
};

typedef struct ArchiveWriter {
    int fd; /* borrowed */
    Aead aead;
    uint64_t chunks;
    Buf plain, sealed;
} ArchiveWriter;

/* Writes the head: `root` travels in the box for `recipient`. */
Err archive_begin(ArchiveWriter *w, int fd, const uint8_t recipient[BOX_KEY],
                  const uint8_t root[ROOT_KEY_BYTES]) MUST_CHECK;
/* A file of `size` bytes; then so many by archive_put(). */
Err archive_file(ArchiveWriter *w, const char *name, uint64_t size) MUST_CHECK;
Err archive_put(ArchiveWriter *w, Bytes data) MUST_CHECK;
Err archive_end(ArchiveWriter *w) MUST_CHECK;
void archive_writer_done(ArchiveWriter *w);

typedef struct ArchiveReader {
    int fd; /* borrowed */
    Aead aead;
    uint64_t chunks;
    bool last;         /* the chunk that says so was read */
    Buf sealed, plain; /* proven, not taken yet */
} ArchiveReader;

/* ERR_MALFORMED: no backup, or an altered one; ERR_REFUSED: for another recovery key. */
Err archive_open(ArchiveReader *r, int fd, const RecoveryKey *key,
                 uint8_t ret_root[ROOT_KEY_BYTES]) MUST_CHECK;
/* ERR_MORE: that was the last. `ret_name` is a string. */
Err archive_next(ArchiveReader *r, char ret_name[ARCHIVE_NAME_MAX], uint64_t *ret_size) MUST_CHECK;
/* The next bytes, some of `max`; they die at the next call. */
Err archive_take(ArchiveReader *r, uint64_t max, Bytes *ret) MUST_CHECK;
void archive_reader_done(ArchiveReader *r);

#endif
