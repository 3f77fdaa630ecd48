#include "sys/log.h"

#include "base/json_write.h"
#include "base/text.h"
#include "sys/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* The one thing a process knows of itself everywhere. */
static const char *process_name = "chaperone";

/* Does a write to standard error wait? Asked once: a child's pipe never does. */
static bool waits = true;
static atomic_uint_fast64_t dropped;

void log_begin(const char *process)
{
    const int flags = fcntl(STDERR_FILENO, F_GETFL);

    process_name = process;
    waits = flags < 0 || (flags & O_NONBLOCK) == 0;
}

/* --- out, or dropped ------------------------------------------------------------------------- */

/* A pipe that can be written takes PIPE_BUF bytes at once. */
static bool would_wait(void)
{
    struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

    return waits && (poll(&fd, 1, 0) != 1 || (fd.revents & POLLOUT) == 0);
}

static bool put(Bytes line)
{
    return !would_wait() && write(STDERR_FILENO, line.ptr, line.len) == (ssize_t)line.len;
}

static Err format(Buf *out, LogLevel level, const char *event, const char *text)
{
    static const char *const LEVELS[] = { "info", "warn", "error" };
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_u64(&j, "time_ns", clock_now().unix_ns);
    json_write_string(&j, "level", text_of(LEVELS[level]));
    json_write_string(&j, "process", text_of(process_name));
    json_write_u64(&j, "pid", (uint64_t)getpid());
    json_write_string(&j, "event", text_of(event));
    json_write_string(&j, "text", text_of(text));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    return buf_byte(out, '\n');
}

/* False: there is still no room. */
static bool tell_dropped(void)
{
    CLEANUP(buf_done) Buf line = { 0 };
    const uint64_t count = atomic_exchange(&dropped, 0);
    char text[64];

    if (count == 0)
        return true;
    buf_init(&line, LOG_LINE_MAX);
    (void)snprintf(text, sizeof text, "%llu lines", (unsigned long long)count);
    if (format(&line, LOG_WARN, "log.dropped", text) == OK && put(buf_view(&line)))
        return true;
    atomic_fetch_add(&dropped, count);
    return false;
}

static void put_or_count(Bytes line)
{
    if (!tell_dropped() || !put(line))
        atomic_fetch_add(&dropped, 1);
}

/* --- lines ----------------------------------------------------------------------------------- */

void log_pass(Bytes line)
{
    CLEANUP(buf_done) Buf whole = { 0 };

    if (line.len == 0)
        return;
    if (line.ptr[line.len - 1] == '\n') {
        put_or_count(line);
        return;
    }
    buf_init(&whole, LOG_LINE_MAX);
    if (buf_append(&whole, line) == OK && buf_byte(&whole, '\n') == OK)
        put_or_count(buf_view(&whole));
}

void log_line(LogLevel level, const char *event, const char *format_text, ...)
{
    CLEANUP(buf_done) Buf line = { 0 };
    char text[1024];
    va_list args;

    va_start(args, format_text);
    (void)vsnprintf(text, sizeof text, format_text, args);
    va_end(args);
    buf_init(&line, LOG_LINE_MAX);
    if (format(&line, level, event, text) == OK)
        put_or_count(buf_view(&line));
}
