/* The worker's pen: one write a turn, syncs by a thread; run under TSan too. */
#include "base/text.h"
#include "sys/file.h"
#include "test.h"
#include "worker/recorder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_synced(uv_async_t *async)
{
    size_t *count = async->data;

    (*count)++;
}

static int new_file(void)
{
    char path[] = "/tmp/chaperone-recorder-XXXXXX";
    const int fd = mkstemp(path);

    EXPECT(fd >= 0 && unlink(path) == 0);
    EXPECT(fcntl(fd, F_SETFL, O_APPEND) == 0);
    return fd;
}

static void append_one(Recorder *r)
{
    SegmentRecord record = { .leaf = { .type = LEAF_HEARTBEAT, .time_unix_ns = 1, .mono_ns = 1 } };

    EXPECT(recorder_append(r, &record) == OK);
}

static size_t records_in(int fd, uint64_t *ret_segment)
{
    CLEANUP(buf_done) Buf bytes = { 0 };
    SegmentReader reader;
    SegmentFrame frame;
    size_t count = 0;

    buf_init(&bytes, 64 << 20);
    EXPECT(file_read_whole(fd, &bytes) == OK);
    EXPECT(segment_reader_init(&reader, buf_view(&bytes)) == OK);
    SegmentStep step = segment_next(&reader, &frame);
    for (; step == SEGMENT_RECORD; step = segment_next(&reader, &frame))
        count++;
    EXPECT(step == SEGMENT_END);
    *ret_segment = reader.header.segment;
    return count;
}

static void wait_for_sync(Recorder *r, uv_loop_t *loop, uint64_t upto)
{
    for (int i = 0; i < 2000 && recorder_synced(r) < upto; i++) {
        (void)uv_run(loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    EXPECT(recorder_synced(r) >= upto);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* its word may still be in the loop */
}

static void what_was_flushed_is_in_the_file_and_gets_synced(void)
{
    const Id writer = { { 7 } };
    const SegmentAnswer first = { .ok = 1, .segment = 3, .created_ns = 1 };
    const int fd = new_file(), copy = dup(fd);
    size_t synced_calls = 0;
    uint64_t segment;
    uv_loop_t loop;
    Recorder r;

    EXPECT(uv_loop_init(&loop) == 0);
    EXPECT(recorder_init(&r, &loop, &writer, on_synced, &synced_calls) == OK);
    EXPECT(!recorder_ready(&r) && recorder_wants_segment(&r, 1));
    EXPECT(!recorder_wants_segment(&r, 1)); /* asked once */
    EXPECT(recorder_take_segment(&r, fd, &first, 1) == OK && recorder_ready(&r));
    for (int turn = 0; turn < 200; turn++) {
        append_one(&r);
        append_one(&r);
        EXPECT(recorder_flush(&r, 1) == OK);
        if (turn % 7 == 0)
            recorder_hurry(&r);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    }
    EXPECT(r.flushed == 200);
    recorder_hurry(&r);
    wait_for_sync(&r, &loop, r.flushed);
    EXPECT(records_in(copy, &segment) == 400 && segment == 3);
    recorder_done(&r);
    uv_close((uv_handle_t *)&r.done, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT(uv_loop_close(&loop) == 0);
    EXPECT(synced_calls > 0);
    close(copy);
}

static void an_old_segment_is_sealed_and_the_next_begun(void)
{
    const Id writer = { { 8 } };
    const uint64_t later = 11 * 60 * 1000;
    const int first = new_file(), second = new_file(), copy = dup(second);
    size_t synced_calls = 0;
    uint64_t segment;
    uv_loop_t loop;
    Recorder r;

    EXPECT(uv_loop_init(&loop) == 0);
    EXPECT(recorder_init(&r, &loop, &writer, on_synced, &synced_calls) == OK);
    EXPECT(recorder_take_segment(&r, first, &(SegmentAnswer){ .ok = 1, .segment = 1 }, 1) == OK);
    append_one(&r);
    EXPECT(recorder_flush(&r, 1) == OK);
    EXPECT(!recorder_wants_segment(&r, 2) && recorder_wants_segment(&r, later));
    EXPECT(recorder_take_segment(&r, second, &(SegmentAnswer){ .ok = 1, .segment = 2 }, later) ==
           OK);
    append_one(&r);
    EXPECT(recorder_flush(&r, later) == OK); /* the old one's last write */
    EXPECT(r.seal_count == 1 && r.seals[0].segment == 1 && r.seals[0].count == 2);
    append_one(&r);
    EXPECT(recorder_flush(&r, later) == OK);
    recorder_hurry(&r);
    wait_for_sync(&r, &loop, r.flushed);
    EXPECT(records_in(copy, &segment) == 1 && segment == 2);
    recorder_done(&r);
    uv_close((uv_handle_t *)&r.done, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    close(copy);
}

/* /dev/full: every write fails with ENOSPC. */
static void after_a_failed_write_nothing_is_written_again(void)
{
    const Id writer = { { 9 } };
    size_t synced_calls = 0;
    uv_loop_t loop;
    Recorder r;

    EXPECT(uv_loop_init(&loop) == 0);
    EXPECT(recorder_init(&r, &loop, &writer, on_synced, &synced_calls) == OK);
    const int full = open("/dev/full", O_WRONLY | O_APPEND);
    EXPECT(full >= 0);
    EXPECT(recorder_take_segment(&r, full, &(SegmentAnswer){ .ok = 1, .segment = 1 }, 1) == OK);
    append_one(&r);
    EXPECT(recorder_flush(&r, 1) == ERR_IO);
    EXPECT(!recorder_ready(&r) && recorder_is_broken(&r) && r.flushed == 0);
    SegmentRecord record = { .leaf = { .type = LEAF_HEARTBEAT } };
    EXPECT(recorder_append(&r, &record) == ERR_IO);
    EXPECT(recorder_flush(&r, 1) == ERR_IO);
    recorder_done(&r);
    uv_close((uv_handle_t *)&r.done, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
}

int main(void)
{
    TEST(what_was_flushed_is_in_the_file_and_gets_synced);
    TEST(an_old_segment_is_sealed_and_the_next_begun);
    TEST(after_a_failed_write_nothing_is_written_again);
    return 0;
}
