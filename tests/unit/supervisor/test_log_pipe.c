/* What a child writes comes out whole: in lines, also the last one, also one that is too long. */
#include "supervisor/log_pipe.h"

#include "base/text.h"
#include "sys/file.h"
#include "sys/log.h"
#include "test.h"

#include <string.h>
#include <unistd.h>

enum { LONG = 3 * LOG_LINE_MAX + 17 };

static int out_fd; /* where standard error comes out */

static void read_out(Buf *out)
{
    buf_init(out, 1 << 20);
    EXPECT(file_read_fd(out_fd, out) == ERR_IO);
}

static void turn(uv_loop_t *loop)
{
    for (int i = 0; i < 4; i++)
        (void)uv_run(loop, UV_RUN_NOWAIT);
}

static void whole_lines_and_last_words(void)
{
    CLEANUP(buf_done) Buf part = { 0 };
    CLEANUP(buf_done) Buf rest = { 0 };
    uv_loop_t loop;
    LogPipe *p;
    int fd;

    EXPECT(uv_loop_init(&loop) == 0 && log_pipe_new(&loop, &p, &fd) == OK);
    EXPECT(file_write_all(fd, LIT("one\ntwo\nthr")) == OK);
    turn(&loop);
    read_out(&part);
    EXPECT(text_eq(buf_view(&part), LIT("one\ntwo\n")));
    EXPECT(file_write_all(fd, LIT("ee\nlast words")) == OK);
    close(fd);
    turn(&loop);
    log_pipe_end(p);
    turn(&loop);
    read_out(&rest);
    EXPECT(text_eq(buf_view(&rest), LIT("three\nlast words\n")));
    EXPECT(uv_loop_close(&loop) == 0);
}

static void a_long_line_in_pieces(void)
{
    static uint8_t line[LONG];
    CLEANUP(buf_done) Buf got = { 0 };
    uv_loop_t loop;
    LogPipe *p;
    size_t letters = 0;
    int fd;

    memset(line, 'x', sizeof line);
    EXPECT(uv_loop_init(&loop) == 0 && log_pipe_new(&loop, &p, &fd) == OK);
    EXPECT(file_write_all(fd, VIEW(line)) == OK);
    close(fd);
    log_pipe_end(p);
    turn(&loop);
    read_out(&got);
    for (size_t i = 0; i < buf_len(&got); i++)
        letters += buf_view(&got).ptr[i] == 'x';
    EXPECT(letters == LONG && buf_len(&got) == LONG + 4);
    EXPECT(uv_loop_close(&loop) == 0);
}

static void nothing_is_fine(void)
{
    log_pipe_end(NULL);
}

int main(void)
{
    int ends[2];

    EXPECT(pipe_pair(ends) == OK && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    out_fd = ends[0];
    log_begin("test");
    TEST(whole_lines_and_last_words);
    TEST(a_long_line_in_pieces);
    TEST(nothing_is_fine);
    return 0;
}
