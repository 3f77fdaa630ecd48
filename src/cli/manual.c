#include "cli/manual.h"

#include "base/mdoc.h"
#include "base/text.h"
#include "cli/command.h"

static Err put_option(const OptionEntry *entry, Buf *out)
{
    TRY(buf_append(out, LIT(".It ")));
    if (entry->letter != 0)
        TRY(text_format(out, "Fl %c , ", entry->letter));
    TRY(text_format(out, "Fl \\-%s", entry->name));
    if (entry->value != NULL)
        TRY(text_format(out, " Ar %s", entry->value));
    TRY(buf_byte(out, '\n'));
    return mdoc_text(out, text_of(entry->help));
}

static Err put_own_options(const Command *command, Buf *out)
{
    const char *at = command->options;
    Bytes name;

    if (at == NULL)
        return OK;
    TRY(buf_append(out, LIT(".Bl -tag -width Ds\n")));
    while (command_next_option(&at, &name)) {
        const OptionEntry *entry = option_entry(name);

        if (entry != NULL && !entry->everywhere)
            TRY(put_option(entry, out));
    }
    return buf_append(out, LIT(".El\n"));
}

static Err put_exits(const Command *command, Buf *out)
{
    const unsigned exits = command_exits(command);
    const char *comma = "";

    TRY(buf_append(out, LIT(".Pp\nExit status: ")));
    for (int status = 0; status <= EXIT_STATUS_MAX; status++) {
        if ((exits & (1u << status)) == 0)
            continue;
        TRY(text_format(out, "%s%d", comma, status));
        comma = ", ";
    }
    return buf_append(out, LIT(".\n"));
}

static Err put_command(const Command *command, Buf *out)
{
    TRY(text_format(out, ".Ss %s\n.Nm\n.Ic %s", command->name, command->name));
    if (command->arguments != NULL) {
        TRY(buf_append(out, LIT(" No")));
        TRY(mdoc_argument(out, text_of(command->arguments)));
    }
    TRY(buf_append(out, LIT("\n.Pp\n")));
    TRY(mdoc_text(out, text_of(command->help)));
    if (command->more != NULL)
        TRY(mdoc_text(out, text_of(command->more)));
    TRY(put_own_options(command, out));
    TRY(put_exits(command, out));
    TRY(buf_append(out, LIT(".Pp\n.Dl")));
    TRY(mdoc_argument(out, text_of(command->example)));
    return buf_byte(out, '\n');
}

static Err put_head(Buf *out)
{
    return text_format(
        out,
        ".\\\" Made from the table of commands (src/cli/command_table.c); do not edit by hand.\n"
        ".Dd November 23, 2026\n.Dt CHAPERONE 1\n.Os\n"
        ".Sh NAME\n.Nm chaperone\n"
        ".Nd gateway in front of systems that hold protected health information\n"
        ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar argument ...\n.Op Fl c Ar FILE\n"
        ".Op Fl o Ar table | json | jsonl | csv\n"
        ".Sh DESCRIPTION\n"
        ".Nm\n"
        "stands in the data path of a database.\n"
        "It authenticates callers, holds the target's credential, judges every statement,\n"
        "masks protected columns in every response, holds risky writes for another person\n"
        "and writes everything down before it happens.\n"
        "Callers use the clients that they have; this program runs the gateway and\n"
        "administers it.\n"
        ".Pp\n"
        "On the gateway's host, root and the members of\n.Cm gateway.admin_users\n"
        "administer over the Unix socket\n.Cm gateway.admin_socket .\n"
        "They configure, they never approve: to act as a person, give that person's token\n"
        "or password.\n"
        "Results go to standard output, everything else to standard error.\n"
        ".Pp\nThe options that every command takes:\n.Bl -tag -width Ds\n");
}

static Err put_tail(Buf *out)
{
    TRY(buf_append(out, LIT(".Sh ENVIRONMENT\n.Bl -tag -width CHAPERONE_CONFIG\n"
                            ".It Ev CHAPERONE_CONFIG\nThe configuration, where\n.Fl c\n"
                            "does not say.\n"
                            ".It Ev CHAPERONE_TOKEN\nThe token of the person or agent to act as.\n"
                            ".El\n"
                            ".Sh FILES\n.Bl -tag -width Ds\n"
                            ".It Pa /etc/chaperone/chaperone.yaml\nThe configuration:\n"
                            ".Xr chaperone.yaml 5 .\n"
                            ".It Pa /var/lib/chaperone\nState, keys and journal:\n"
                            ".Xr chaperone-journal 5 .\n.El\n"
                            ".Sh EXIT STATUS\n.Bl -tag -width 10\n")));
    for (int status = 0; status <= EXIT_STATUS_MAX; status++)
        TRY(text_format(out, ".It %d\n%s\n", status, exit_words(status)));
    return buf_append(out, LIT(".El\n.Sh SEE ALSO\n.Xr psql 1 ,\n.Xr chaperone-backup 5 ,\n"
                               ".Xr chaperone-journal 5 ,\n.Xr chaperone.yaml 5\n"));
}

Err cli_manual(Buf *out)
{
    TRY(put_head(out));
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (OPTIONS[i].everywhere)
            TRY(put_option(&OPTIONS[i], out));
    TRY(buf_append(out, LIT(".El\n.Sh COMMANDS\n")));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        TRY(put_command(&COMMANDS[i], out));
    return put_tail(out);
}
