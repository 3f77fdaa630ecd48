/* Commands that are calls of the admin socket. */
#include "cli/gateway.h"
#include "cli/output.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PASSWORD_MAX = 2048, WATCH_SECONDS = 2, SEEN_MAX = 4096 };

static int call_with(Cli *c, json_t *args)
{
    CLEANUP(answer_done) Answer answer = { 0 };

    if (!gateway_call(c, c->command->call, args, &answer))
        return answer.exit_status;
    output_answer(c, &answer);
    return EXIT_DONE;
}

int command_call(Cli *c)
{
    json_t *args = gateway_arguments(c);

    return args != NULL ? call_with(c, args) : EXIT_USAGE;
}

int command_user_add(Cli *c)
{
    CLEANUP(buf_done) Buf password = { 0 };
    json_t *args = gateway_arguments(c);

    if (args == NULL)
        return EXIT_USAGE;
    buf_init(&password, PASSWORD_MAX);
    const char *kind = cli_option(c, "kind");
    const bool has_none =
        cli_option(c, "no-password") != NULL || (kind != NULL && strcmp(kind, "human") != 0);
    const Err err = has_none ? ERR_MORE : gateway_password(c, "New password", &password);
    if (err != OK && err != ERR_MORE) {
        json_decref(args);
        return cli_say(EXIT_USAGE, "the password cannot be read");
    }
    const Bytes text = buf_view(&password);
    if (text.len > 0)
        (void)json_object_set_new(args, "password", json_stringn((const char *)text.ptr, text.len));
    return call_with(c, args);
}

/* --- approvals ---------------------------------------------------------------------------- */

static int watch(Cli *c)
{
    json_t *seen = json_object();
    int status = EXIT_DONE;

    while (status == EXIT_DONE) {
        CLEANUP(answer_done) Answer answer = { 0 };

        if (!gateway_call(c, c->command->call, json_object(), &answer))
            status = answer.exit_status;
        for (size_t i = 0; status == EXIT_DONE && i < json_array_size(answer.parts); i++) {
            const json_t *row = json_array_get(answer.parts, i);
            const char *id = json_string_value(json_object_get(row, "id"));

            if (id == NULL || json_object_get(seen, id) != NULL)
                continue;
            (void)json_object_set_new(seen, id, json_true());
            output_row(c, row);
        }
        if (status == EXIT_DONE)
            (void)sleep(WATCH_SECONDS);
    }
    json_decref(seen);
    return status;
}

int command_approvals(Cli *c)
{
    return cli_option(c, "watch") != NULL ? watch(c) : command_call(c);
}
