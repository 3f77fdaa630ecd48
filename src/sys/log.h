/* One JSON line on standard error for each thing an operator should know.
 *
 * PHI-free by type: events are literals, arguments are what the gateway itself made (ids,
 * names from the configuration, numbers, error names). Never text of a client or a target.
 * In a child standard error is a non-blocking pipe to the supervisor (supervisor/log_pipe.h);
 * the supervisor asks before it writes to its own. A line that does not fit is dropped and
 * counted, never waited for; a line `log.dropped` says how many, once there is room again. */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "base/base.h"

enum { LOG_LINE_MAX = 4096 }; /* PIPE_BUF: written whole or not at all */

typedef enum LogLevel { LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

/* `process`: "supervisor", "keeper", "worker-0" …; kept, so a literal or static. */
void log_begin(const char *process);
void log_line(LogLevel level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
/* A child's line, as it is; `\n` is added where it is missing. Below LOG_LINE_MAX bytes. */
void log_pass(Bytes line);

#endif
