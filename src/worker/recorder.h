/* A worker's pen: the records of a turn collected, one write for all, syncs in groups.
 *
 *     append ──▶ batch ──▶ flush: one write(2) a turn ──▶ sync thread: fdatasync
 *                                   flushed = n               synced = n
 *
 * What was flushed survives kill -9 of any process; what is synced survives power loss. The
 * thread syncs every 20 ms while there is something new, at once when asked. After a failed or
 * short write, or a failed sync, nothing is ever written again: the worker's sessions end. */
#ifndef WORKER_RECORDER_H
#define WORKER_RECORDER_H

#include "base/buf.h"
#include "journal/segment.h"
#include "model/ask.h"
#include "model/tally.h"
#include "sys/loop.h"

enum {
    RECORDER_SEGMENT_BYTES = 64 << 20,
    RECORDER_AHEAD_BYTES = 48 << 20, /* ask for the next segment from here on */
    RECORDER_SEALS = 64,
};

typedef struct Recorder {
    SegmentWriter writer;
    Buf batch;
    int fd, next_fd;
    uint64_t next_segment, next_created_ns, began_ms;
    bool asked; /* the keeper for the next segment */
    bool broken;
    uint64_t flushed;           /* writes that reached the kernel */
    Seal seals[RECORDER_SEALS]; /* of this process's finished segments, the latest */
    size_t seal_count;
    /* Shared with the sync thread, under `lock`. */
    uv_mutex_t lock;
    uv_cond_t wake;
    uv_thread_t thread;
    uv_sem_t started;
    uv_async_t done;
    int sync_fd, old_fd; /* old_fd: a finished segment, synced once more, then closed */
    uint64_t to_sync, synced;
    bool urgent, stop, sync_failed;
    Histogram syncs; /* since recorder_take_syncs() */
} Recorder;

/* `on_synced` runs on the loop after synced has moved. */
Err recorder_init(Recorder *r, uv_loop_t *loop, const Id *writer, uv_async_cb on_synced,
                  void *ctx) MUST_CHECK;
/* The keeper gave a segment: the first is begun at once, later ones when the open one is full. */
Err recorder_take_segment(Recorder *r, int fd, const SegmentAnswer *a, uint64_t now_ms) MUST_CHECK;
bool recorder_ready(const Recorder *r);
/* Is it time to ask for the next segment? */
bool recorder_wants_segment(Recorder *r, uint64_t now_ms);
Err recorder_append(Recorder *r, SegmentRecord *record) MUST_CHECK;
/* ERR_IO: nothing more can be recorded. */
Err recorder_flush(Recorder *r, uint64_t now_ms) MUST_CHECK;
/* What was flushed up to now will be synced at once; recorder_synced() tells when. */
void recorder_hurry(Recorder *r);
uint64_t recorder_synced(Recorder *r);
bool recorder_is_broken(Recorder *r);
/* How long syncs took; counted from nothing again. */
Histogram recorder_take_syncs(Recorder *r);
/* Sync, stop the thread. */
void recorder_done(Recorder *r);

#endif
