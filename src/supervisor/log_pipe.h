/* What a child writes to its standard error comes here through a pipe, and goes on to ours.
 *
 *     child ──write, never waits──> pipe ──> lines, bounded ──> our standard error
 *
 * Whole lines only, so that those of several children do not mix. A line over LOG_LINE_MAX goes
 * on in pieces (a sanitizer's report is still all there). Lives as long as the child. */
#ifndef SUPERVISOR_LOG_PIPE_H
#define SUPERVISOR_LOG_PIPE_H

#include "base/buf.h"
#include "sys/loop.h"

typedef struct LogPipe LogPipe;

/* `ret_write_fd` is for the child: non-blocking, closed by the caller after the start. */
Err log_pipe_new(uv_loop_t *loop, LogPipe **ret, int *ret_write_fd) MUST_CHECK;
/* The child is gone: passes on what is left, also a line without end. NULL is fine. */
void log_pipe_end(LogPipe *p);

#endif
