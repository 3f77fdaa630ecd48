#include "worker/recorder.h"

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

#include <unistd.h>

enum {
    BATCH_MAX = 128 << 20,
    SYNC_EVERY_NS = 20 * 1000 * 1000,
    SEGMENT_AGE_MS = 10 * 60 * 1000,
    WORTH_SEALING = SEGMENT_HEADER,
};

/* --- the sync thread ------------------------------------------------------------------------ */

static void sync_once(Recorder *r)
{
    const uint64_t upto = r->to_sync;
    const int fd = r->sync_fd, old = r->old_fd;

    r->urgent = false;
    r->old_fd = -1;
    uv_mutex_unlock(&r->lock);
    const uint64_t before_ns = clock_now().mono_ns;
    bool ok = old < 0 || file_sync(old) == OK;
    ok = file_sync(fd) == OK && ok;
    if (old >= 0)
        close(old);
    const uint64_t took_ns = clock_now().mono_ns - before_ns;
    uv_mutex_lock(&r->lock);
    histogram_add(&r->syncs, took_ns);
    if (ok)
        r->synced = upto;
    else
        r->sync_failed = true; /* never retried: the kernel may have dropped the pages */
    (void)uv_async_send(&r->done);
}

static uint64_t due_ns(void)
{
    return clock_now().mono_ns + SYNC_EVERY_NS;
}

/* What is new after a pause waits like everything else: others will join it. */
static void sync_loop(void *ctx)
{
    Recorder *r = ctx;
    uint64_t due = 0;

    uv_sem_post(&r->started);
    uv_mutex_lock(&r->lock);
    while (!r->stop && !r->sync_failed) {
        const uint64_t now = clock_now().mono_ns;

        if (r->synced == r->to_sync) {
            uv_cond_wait(&r->wake, &r->lock);
            due = due_ns();
        } else if (!r->urgent && now < due) {
            (void)uv_cond_timedwait(&r->wake, &r->lock, due - now);
        } else {
            sync_once(r);
            due = due_ns();
        }
    }
    uv_mutex_unlock(&r->lock);
}

Err recorder_init(Recorder *r, uv_loop_t *loop, const Id *writer, uv_async_cb on_synced, void *ctx)
{
    *r = (Recorder){ .fd = -1, .next_fd = -1, .sync_fd = -1, .old_fd = -1 };
    segment_writer_init(&r->writer, writer->bytes);
    buf_init(&r->batch, BATCH_MAX);
    if (uv_mutex_init(&r->lock) != 0 || uv_cond_init(&r->wake) != 0 ||
        uv_async_init(loop, &r->done, on_synced) != 0)
        return ERR_IO;
    r->done.data = ctx;
    if (uv_sem_init(&r->started, 0) != 0 || uv_thread_create(&r->thread, sync_loop, r) != 0)
        return ERR_IO;
    /* A thread's own start makes calls that the sandbox, which comes next, does not allow. */
    uv_sem_wait(&r->started);
    return OK;
}

void recorder_done(Recorder *r)
{
    uv_mutex_lock(&r->lock);
    r->stop = true;
    uv_cond_signal(&r->wake);
    uv_mutex_unlock(&r->lock);
    (void)uv_thread_join(&r->thread);
    uv_sem_destroy(&r->started);
    if (r->fd >= 0)
        (void)!file_sync(r->fd);
    buf_done(&r->batch);
}

/* --- segments --------------------------------------------------------------------------------- */

bool recorder_ready(const Recorder *r)
{
    return r->fd >= 0 && !r->broken;
}

bool recorder_wants_segment(Recorder *r, uint64_t now_ms)
{
    const bool full = r->writer.length > RECORDER_AHEAD_BYTES;
    const bool old = r->writer.length > WORTH_SEALING && now_ms - r->began_ms > SEGMENT_AGE_MS;

    if (r->asked || r->next_fd >= 0 || (r->fd >= 0 && !full && !old))
        return false;
    r->asked = true;
    return true;
}

static void remember_seal(Recorder *r)
{
    r->seals[r->seal_count++ % RECORDER_SEALS] = segment_seal(&r->writer);
}

/* Between two writes: the batch is empty. */
static Err begin_next(Recorder *r, uint64_t now_ms)
{
    const int old = r->fd;

    if (old >= 0)
        remember_seal(r);
    TRY(segment_begin(&r->writer, r->next_segment, r->next_created_ns, &r->batch));
    r->fd = r->next_fd;
    r->next_fd = -1;
    r->began_ms = now_ms;
    uv_mutex_lock(&r->lock);
    if (old >= 0 && r->old_fd >= 0) { /* two segments within one sync */
        r->sync_failed = r->sync_failed || file_sync(r->old_fd) != OK;
        close(r->old_fd);
    }
    r->old_fd = old;
    r->sync_fd = r->fd;
    uv_mutex_unlock(&r->lock);
    return OK;
}

Err recorder_take_segment(Recorder *r, int fd, const SegmentAnswer *a, uint64_t now_ms)
{
    r->asked = false;
    if (r->next_fd >= 0) {
        close(fd);
        return ERR_MALFORMED;
    }
    r->next_fd = fd;
    r->next_segment = a->segment;
    r->next_created_ns = a->created_ns;
    return r->fd < 0 ? begin_next(r, now_ms) : OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

Err recorder_append(Recorder *r, SegmentRecord *record)
{
    if (!recorder_ready(r))
        return ERR_IO;
    return segment_append(&r->writer, record, &r->batch);
}

static bool is_due(const Recorder *r, uint64_t now_ms)
{
    return r->next_fd >= 0 &&
           (r->writer.length > RECORDER_AHEAD_BYTES || now_ms - r->began_ms > SEGMENT_AGE_MS);
}

Err recorder_flush(Recorder *r, uint64_t now_ms)
{
    const Bytes all = buf_view(&r->batch);

    if (r->broken)
        return ERR_IO;
    if (all.len == 0)
        return OK;
    /* One write: a part of it could not be undone, so it is the last one if it fails. */
    if (write(r->fd, all.ptr, all.len) != (ssize_t)all.len) {
        r->broken = true;
        log_line(LOG_ERROR, "record", "the journal cannot be written; sessions end");
        return ERR_IO;
    }
    buf_truncate(&r->batch, 0);
    r->flushed++;
    uv_mutex_lock(&r->lock);
    r->to_sync = r->flushed;
    if (r->synced + 1 == r->to_sync)
        uv_cond_signal(&r->wake);
    uv_mutex_unlock(&r->lock);
    return is_due(r, now_ms) ? begin_next(r, now_ms) : OK;
}

void recorder_hurry(Recorder *r)
{
    uv_mutex_lock(&r->lock);
    r->urgent = true;
    uv_cond_signal(&r->wake);
    uv_mutex_unlock(&r->lock);
}

Histogram recorder_take_syncs(Recorder *r)
{
    uv_mutex_lock(&r->lock);
    const Histogram taken = r->syncs;
    r->syncs = (Histogram){ 0 };
    uv_mutex_unlock(&r->lock);
    return taken;
}

uint64_t recorder_synced(Recorder *r)
{
    uv_mutex_lock(&r->lock);
    const uint64_t synced = r->synced;
    uv_mutex_unlock(&r->lock);
    return synced;
}

bool recorder_is_broken(Recorder *r)
{
    uv_mutex_lock(&r->lock);
    r->broken = r->broken || r->sync_failed;
    uv_mutex_unlock(&r->lock);
    return r->broken;
}
