#include "supervisor/log_pipe.h"

#include "sys/file.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READS_A_TURN = 16 };

struct LogPipe {
    int fd;
    uv_poll_t poll;
    size_t len;
    uint8_t line[LOG_LINE_MAX - 1]; /* begun and not ended yet; room for '\n' is kept */
};

static void pass(LogPipe *p, size_t len)
{
    log_pass((Bytes){ p->line, len });
    p->len -= len;
    memmove(p->line, p->line + len, p->len);
}

static void pass_lines(LogPipe *p)
{
    for (;;) {
        const uint8_t *end = memchr(p->line, '\n', p->len);

        if (end != NULL)
            pass(p, (size_t)(end - p->line) + 1);
        else if (p->len == sizeof p->line)
            pass(p, p->len);
        else
            return;
    }
}

/* False: nothing there, or nothing will come any more. */
static bool read_some(LogPipe *p, bool *ret_ended)
{
    const ssize_t n = read(p->fd, p->line + p->len, sizeof p->line - p->len);

    *ret_ended = n == 0;
    if (n <= 0)
        return false;
    p->len += (size_t)n;
    pass_lines(p);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    LogPipe *p = poll->data;
    bool ended = status < 0;

    (void)events;
    for (int i = 0; i < READS_A_TURN && !ended; i++)
        if (!read_some(p, &ended))
            break;
    if (ended)
        (void)uv_poll_stop(poll); /* log_pipe_end() follows with SIGCHLD */
}

Err log_pipe_new(uv_loop_t *loop, LogPipe **ret, int *ret_write_fd)
{
    LogPipe *p = calloc(1, sizeof *p);
    int ends[2];

    if (p == NULL)
        return ERR_LIMIT;
    if (pipe_pair(ends) != OK) {
        free(p);
        return ERR_IO;
    }
    p->fd = ends[0];
    p->poll.data = p;
    if (uv_poll_init(loop, &p->poll, p->fd) != 0) {
        close(ends[0]);
        close(ends[1]);
        free(p);
        return ERR_IO;
    }
    (void)uv_poll_start(&p->poll, UV_READABLE | UV_DISCONNECT, on_readable);
    *ret = p;
    *ret_write_fd = ends[1];
    return OK;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

void log_pipe_end(LogPipe *p)
{
    bool ended = false;

    if (p == NULL)
        return;
    while (read_some(p, &ended))
        continue;
    if (p->len > 0)
        pass(p, p->len);
    uv_close((uv_handle_t *)&p->poll, closed);
    close(p->fd);
}
