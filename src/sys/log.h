/* One JSON line on standard error for each thing an operator should know.
 *
 * PHI-free by type: events are literals, arguments are what the gateway itself made (ids,
 * names from the configuration, numbers, error names). Never text of a client or a target.
 * In a child standard error is a non-blocking pipe: a line that does not fit is dropped
 * and counted, never waited for. */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include "base/base.h"

typedef enum LogLevel { LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;

/* `process`: "supervisor", "keeper", "worker-0" …; kept, so a literal or static. */
void log_begin(const char *process);
void log_line(LogLevel level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
