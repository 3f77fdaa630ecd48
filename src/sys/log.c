#include "sys/log.h"

#include "base/json_write.h"
#include "base/text.h"
#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

/* The one thing a process knows of itself everywhere. */
static const char *process_name = "chaperone";

void log_begin(const char *process)
{
    process_name = process;
}

void log_line(LogLevel level, const char *event, const char *format, ...)
{
    static const char *const LEVELS[] = { "info", "warn", "error" };
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);

    CLEANUP(buf_done) Buf line = { 0 };
    buf_init(&line, LINE_MAX_BYTES);
    Json j = json_write_begin(&line);
    json_write_object(&j, NULL);
    json_write_u64(&j, "time_ns", clock_now().unix_ns);
    json_write_string(&j, "level", text_of(LEVELS[level]));
    json_write_string(&j, "process", text_of(process_name));
    json_write_u64(&j, "pid", (uint64_t)getpid());
    json_write_string(&j, "event", text_of(event));
    json_write_string(&j, "text", text_of(text));
    json_write_object_end(&j);
    if (json_write_end(&j) != OK || buf_byte(&line, '\n') != OK)
        return;
    const Bytes whole = buf_view(&line);
    const ssize_t written = write(STDERR_FILENO, whole.ptr, whole.len);
    (void)written; /* dropped, never waited for */
}
