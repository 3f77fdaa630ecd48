/* drain: no new sessions, and waiting until those that are here have left. */
#include "cli/gateway.h"
#include "cli/output.h"

#include "base/text.h"
#include "sys/clock.h"

#include <stdio.h>
#include <time.h>

enum { LOOK_MS = 300, QUIET_LOOKS = 2 };

static void pause_between_looks(void)
{
    const struct timespec wait = { .tv_nsec = LOOK_MS * 1000000L };

    (void)nanosleep(&wait, NULL);
}

/* Somebody whose password was being looked at when the drain began counts a moment later: nobody
 * has to be there twice. */
static int wait_until_left(Cli *c, uint64_t deadline_ns)
{
    long long sessions = -1;

    for (int quiet = 0; quiet < QUIET_LOOKS;) {
        CLEANUP(answer_done) Answer answer = { 0 };

        if (!gateway_call(c, "drain.state", json_object(), &answer))
            return answer.exit_status;
        if (!json_is_true(json_object_get(answer.result, "draining")))
            return cli_say(EXIT_FAILED, "the drain was ended by somebody else");
        sessions = json_integer_value(json_object_get(answer.result, "sessions_live"));
        quiet = sessions == 0 ? quiet + 1 : 0;
        if (clock_now().unix_ns >= deadline_ns && sessions > 0)
            return cli_say(EXIT_PENDING, "sessions left: %lld; no new ones are taken", sessions);
        if (quiet < QUIET_LOOKS)
            pause_between_looks();
    }
    return EXIT_DONE;
}

int command_drain(Cli *c)
{
    CLEANUP(answer_done) Answer answer = { 0 };
    const char *timeout = cli_option(c, "timeout");
    const bool end = cli_option(c, "end") != NULL, wait = cli_option(c, "wait") != NULL;
    uint64_t deadline_ns = UINT64_MAX;

    if ((end && (wait || timeout != NULL)) || (timeout != NULL && !wait))
        return cli_say(EXIT_USAGE, "usage: chaperone %s %s", c->command->name,
                       c->command->arguments);
    if (timeout != NULL && cli_expiry(timeout, &deadline_ns) != OK)
        return cli_say(EXIT_USAGE, "--timeout is a time such as 10m");
    if (!gateway_call(c, end ? "drain.end" : "drain", json_object(), &answer))
        return answer.exit_status;
    if (wait)
        return wait_until_left(c, deadline_ns);
    output_answer(c, &answer);
    return EXIT_DONE;
}
