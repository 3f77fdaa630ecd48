#include "keeper/segment_file.h"

#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* Above what a segment of small records can hold: each takes at least 312 bytes. */
enum { LOG_MAX = 64 << 20 };

SegmentPath segment_path(const char *journal, uint64_t id)
{
    SegmentPath path;

    (void)snprintf(path.text, sizeof path.text, "%s/%016" PRIx64 ".seg", journal, id);
    return path;
}

static Err prepare(const char *journal, int fd)
{
    /* A file system that cannot reserve is no reason to refuse; a full one is. */
    if (file_reserve(fd, SEGMENT_BYTES) != OK && errno != EOPNOTSUPP)
        return ERR_IO;
    return dir_sync(journal);
}

Err segment_file_create(const char *journal, uint64_t id, int *ret_fd)
{
    const SegmentPath path = segment_path(journal, id);
    File f = { .fd = -1 };

    TRY(file_open(path.text, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600, &f));
    if (prepare(journal, f.fd) != OK) {
        const int why = errno;

        (void)unlink(path.text);
        file_done(&f);
        errno = why;
        return ERR_IO;
    }
    *ret_fd = f.fd;
    return OK;
}

static Err read_all(Bytes file, uint64_t id, SegmentReading *ret)
{
    SegmentSurvey survey;
    SegmentFrame f;

    segment_survey_init(&survey, file);
    while ((ret->step = segment_survey_next(&survey, &f)) == SEGMENT_RECORD) {
        TRY(buf_u64(&ret->log, id));
        TRY(buf_append(&ret->log, VIEW(f.hash)));
    }
    ret->seal = survey.seal;
    return OK;
}

static Err sync_file(const char *path)
{
    CLEANUP(file_done) File f = { .fd = -1 };

    TRY(file_open(path, O_WRONLY, 0, &f));
    return file_sync(f.fd);
}

Err segment_file_read(const char *path, uint64_t id, SegmentReading *ret)
{
    *ret = (SegmentReading){ .step = SEGMENT_BROKEN };
    TRY(sync_file(path));
    return segment_file_look(path, id, ret);
}

Err segment_file_look(const char *path, uint64_t id, SegmentReading *ret)
{
    Bytes file;

    *ret = (SegmentReading){ .step = SEGMENT_BROKEN };
    buf_init(&ret->log, LOG_MAX);
    TRY(file_map(path, &file));
    const Err err = read_all(file, id, ret);
    file_unmap(file);
    return err;
}

void segment_reading_done(SegmentReading *r)
{
    buf_done(&r->log);
}
