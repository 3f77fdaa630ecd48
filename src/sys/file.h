/* Files and folders. Every failure is ERR_IO with errno kept for the caller's words. */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "base/buf.h"

#include <sys/types.h>

typedef struct File {
    int fd;
} File;

void file_done(File *f); /* closes; nothing to a File of fd -1 or one already done */
/* `flags`, `mode` as for open(2); O_CLOEXEC is added. */
Err file_open(const char *path, int flags, mode_t mode, File *ret) MUST_CHECK;
Err file_write_all(int fd, Bytes data) MUST_CHECK;
Err file_sync(int fd) MUST_CHECK; /* fdatasync; a failure is never retried */
/* Reserve `bytes` behind the file's end without changing its size. */
Err file_reserve(int fd, uint64_t bytes) MUST_CHECK;
Err file_size(int fd, uint64_t *ret) MUST_CHECK;
/* Appends the whole file, at most what `out` may hold. */
Err file_read_all(const char *path, Buf *out) MUST_CHECK;
Err file_read_fd(int fd, Buf *out) MUST_CHECK;
/* From its beginning, whatever the offset: others may share the descriptor. */
Err file_read_whole(int fd, Buf *out) MUST_CHECK;
/* The whole file in place, read-only, as long as it is now; an empty one is an empty view. Only
 * for files that nobody makes shorter meanwhile. Give it back with file_unmap(). */
Err file_map(const char *path, Bytes *ret) MUST_CHECK;
void file_unmap(Bytes mapped);
/* Cut to `bytes`, preallocated blocks behind the end given back; on disk when it returns. */
Err file_cut(const char *path, uint64_t bytes) MUST_CHECK;
/* Written beside, synced, renamed into place, folder synced. */
Err file_replace(const char *path, Bytes data, mode_t mode) MUST_CHECK;
/* OK too when it is there already. Parents must exist. */
Err dir_make(const char *path, mode_t mode) MUST_CHECK;
Err dir_sync(const char *path) MUST_CHECK;
/* Calls `each` for every name but . and ..; stops at the first error. */
Err dir_each(const char *path, Err (*each)(void *ctx, const char *name), void *ctx) MUST_CHECK;

/* How much of the volume under `path` is in use, in percent, rounded up, as df(1) has it: what only
 * root could take is in use. */
Err volume_use(const char *path, unsigned *ret_percent) MUST_CHECK;

/* Bytes that nobody can change any more, for handing to children. Offset 0. */
/* Read end, write end: neither waits, neither survives exec. */
Err pipe_pair(int ret_fds[2]) MUST_CHECK;
Err memfd_sealed(const char *name, Bytes data, int *ret_fd) MUST_CHECK;

#endif
