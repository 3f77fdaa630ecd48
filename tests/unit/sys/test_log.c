/* A log that nobody reads: nothing waits, and what was lost is told. */
#include "sys/log.h"

#include "base/buf.h"
#include "base/text.h"
#include "sys/file.h"
#include "test.h"

#include <string.h>
#include <unistd.h>

enum { MANY = 5000, READ_MAX = 1 << 20 };

static int out_fd; /* where standard error comes out */

static size_t count(Bytes text, const char *word)
{
    const size_t len = strlen(word);
    size_t found = 0;

    for (size_t i = 0; i + len <= text.len; i++)
        found += memcmp(text.ptr + i, word, len) == 0;
    return found;
}

static void read_all(Buf *out)
{
    buf_init(out, READ_MAX);
    EXPECT(file_read_fd(out_fd, out) == ERR_IO); /* EAGAIN: it is empty, and not at its end */
}

static void a_full_pipe_drops_and_counts(void)
{
    CLEANUP(buf_done) Buf first = { 0 };
    CLEANUP(buf_done) Buf then = { 0 };
    char told[64];

    for (int i = 0; i < MANY; i++)
        log_line(LOG_INFO, "test", "line %d", i);
    read_all(&first);
    const size_t arrived = count(buf_view(&first), "\n");
    EXPECT(arrived > 100 && arrived < MANY && count(buf_view(&first), "log.dropped") == 0);
    EXPECT(buf_view(&first).ptr[buf_len(&first) - 1] == '\n');
    log_line(LOG_INFO, "test", "there is room again");
    read_all(&then);
    (void)snprintf(told, sizeof told, "\"log.dropped\",\"text\":\"%d lines\"", MANY - (int)arrived);
    EXPECT(count(buf_view(&then), told) == 1 && count(buf_view(&then), "room again") == 1);
}

static void a_line_of_a_child_is_passed_on(void)
{
    CLEANUP(buf_done) Buf got = { 0 };

    log_pass(LIT("as it is\n"));
    log_pass(LIT("without its end"));
    log_pass((Bytes){ 0 });
    read_all(&got);
    EXPECT(text_eq(buf_view(&got), LIT("as it is\nwithout its end\n")));
}

int main(void)
{
    const int kept = dup(STDERR_FILENO);
    int ends[2];

    EXPECT(pipe_pair(ends) == OK && kept >= 0);
    EXPECT(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    out_fd = ends[0];
    log_begin("test");
    TEST(a_full_pipe_drops_and_counts);
    TEST(a_line_of_a_child_is_passed_on);
    return 0;
}
