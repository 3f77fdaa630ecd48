#include "sys/file.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

void file_done(File *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

Err file_open(const char *path, int flags, mode_t mode, File *ret)
{
    const int fd = open(path, flags | O_CLOEXEC, mode);

    if (fd < 0)
        return ERR_IO;
    ret->fd = fd;
    return OK;
}

Err file_write_all(int fd, Bytes data)
{
    while (data.len > 0) {
        const ssize_t n = write(fd, data.ptr, data.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        data = bytes_from(data, (size_t)n);
    }
    return OK;
}

Err file_sync(int fd)
{
    return fdatasync(fd) == 0 ? OK : ERR_IO;
}

Err file_reserve(int fd, uint64_t bytes)
{
    uint64_t size;

    TRY(file_size(fd, &size));
    return fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)size, (off_t)bytes) == 0 ? OK : ERR_IO;
}

Err file_size(int fd, uint64_t *ret)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ERR_IO;
    *ret = (uint64_t)st.st_size;
    return OK;
}

Err file_read_fd(int fd, Buf *out)
{
    for (;;) {
        uint8_t *room;
        size_t size;

        TRY(buf_room(out, 1, &room, &size));
        const ssize_t n = read(fd, room, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return OK;
        buf_filled(out, (size_t)n);
    }
}

Err file_read_whole(int fd, Buf *out)
{
    for (off_t at = 0;;) {
        uint8_t *room;
        size_t size;

        TRY(buf_room(out, 1, &room, &size));
        const ssize_t n = pread(fd, room, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return OK;
        buf_filled(out, (size_t)n);
        at += n;
    }
}

Err file_read_all(const char *path, Buf *out)
{
    CLEANUP(file_done) File f = { .fd = -1 };

    TRY(file_open(path, O_RDONLY, 0, &f));
    return file_read_fd(f.fd, out);
}

Err file_map(const char *path, Bytes *ret)
{
    CLEANUP(file_done) File f = { .fd = -1 };
    uint64_t size;

    TRY(file_open(path, O_RDONLY, 0, &f));
    TRY(file_size(f.fd, &size));
    *ret = (Bytes){ 0 };
    if (size == 0)
        return OK;
    const void *mem = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, f.fd, 0);
    if (mem == MAP_FAILED)
        return ERR_IO;
    *ret = (Bytes){ mem, (size_t)size };
    return OK;
}

void file_unmap(Bytes mapped)
{
    if (mapped.len > 0)
        (void)munmap((void *)(uintptr_t)mapped.ptr, mapped.len);
}

Err file_cut(const char *path, uint64_t bytes)
{
    CLEANUP(file_done) File f = { .fd = -1 };

    TRY(file_open(path, O_WRONLY, 0, &f));
    if (ftruncate(f.fd, (off_t)bytes) != 0 || fsync(f.fd) != 0)
        return ERR_IO;
    return OK;
}

static Err sync_parent(const char *path)
{
    char parent[4096];
    const char *slash = strrchr(path, '/');
    const size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);

    if (len >= sizeof parent)
        return ERR_LIMIT;
    memcpy(parent, slash == NULL ? "." : path, len);
    parent[len] = '\0';
    return dir_sync(parent);
}

Err file_replace(const char *path, Bytes data, mode_t mode)
{
    CLEANUP(file_done) File f = { .fd = -1 };
    char beside[4096];

    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return ERR_LIMIT;
    (void)unlink(beside);
    TRY(file_open(beside, O_WRONLY | O_CREAT | O_EXCL, mode, &f));
    TRY(file_write_all(f.fd, data));
    TRY(file_sync(f.fd));
    if (rename(beside, path) != 0)
        return ERR_IO;
    return sync_parent(path);
}

Err dir_make(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return OK;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return OK;
    return ERR_IO;
}

Err dir_sync(const char *path)
{
    CLEANUP(file_done) File f = { .fd = -1 };

    TRY(file_open(path, O_RDONLY | O_DIRECTORY, 0, &f));
    return fsync(f.fd) == 0 ? OK : ERR_IO;
}

Err dir_each(const char *path, Err (*each)(void *ctx, const char *name), void *ctx)
{
    DIR *dir = opendir(path);
    Err err = OK;

    if (dir == NULL)
        return ERR_IO;
    for (const struct dirent *e = readdir(dir); e != NULL && err == OK; e = readdir(dir))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            err = each(ctx, e->d_name);
    closedir(dir);
    return err;
}

Err memfd_sealed(const char *name, Bytes data, int *ret_fd)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return ERR_IO;
    if (file_write_all(fd, data) != OK || lseek(fd, 0, SEEK_SET) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        close(fd);
        return ERR_IO;
    }
    *ret_fd = fd;
    return OK;
}

Err pipe_pair(int ret_fds[2])
{
    enum { ROOM = 256 << 10 }; /* a sanitizer's report fits; less is no reason to fail */

    if (pipe2(ret_fds, O_CLOEXEC | O_NONBLOCK) != 0)
        return ERR_IO;
    (void)fcntl(ret_fds[1], F_SETPIPE_SZ, ROOM);
    return OK;
}

Err volume_use(const char *path, unsigned *ret_percent)
{
    struct statvfs v;

    if (statvfs(path, &v) != 0)
        return ERR_IO;
    const uint64_t used = v.f_blocks - v.f_bfree, all = used + v.f_bavail;
    if (v.f_bfree > v.f_blocks || all == 0 || used > UINT64_MAX / 100) {
        errno = EINVAL; /* a volume without blocks says nothing */
        return ERR_IO;
    }
    *ret_percent = (unsigned)((used * 100 + all - 1) / all);
    return OK;
}
