/* `help`: what one table of commands says, for people at a terminal. */
#include "cli/command.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void print_option(const OptionEntry *entry)
{
    char left[40], letter[] = "-c, ";

    letter[1] = entry->letter;
    (void)snprintf(left, sizeof left, "%s--%s%s%s", entry->letter != 0 ? letter : "    ",
                   entry->name, entry->value != NULL ? " " : "",
                   entry->value != NULL ? entry->value : "");
    (void)printf("  %-26s %s\n", left, entry->help);
}

static void print_options(const Command *command)
{
    const char *at = command->options;
    Bytes name;

    (void)puts("\nOptions:");
    while (command_next_option(&at, &name)) {
        const OptionEntry *entry = option_entry(name);

        if (entry != NULL && !entry->everywhere)
            print_option(entry);
    }
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (OPTIONS[i].everywhere)
            print_option(&OPTIONS[i]);
}

static void print_exits(const Command *command)
{
    const unsigned exits = command_exits(command);
    const char *comma = "";

    (void)printf("\nExit status:\n  ");
    for (int status = 0; status <= EXIT_STATUS_MAX; status++) {
        if ((exits & (1u << status)) == 0)
            continue;
        (void)printf("%s%d %s", comma, status, exit_words(status));
        comma = ", ";
    }
    (void)printf("\n");
}

static int help_one(const Command *command)
{
    (void)printf("usage: chaperone %s%s%s\n\n  %s\n", command->name,
                 command->arguments != NULL ? " " : "",
                 command->arguments != NULL ? command->arguments : "", command->help);
    if (command->more != NULL)
        (void)printf("  %s\n", command->more);
    print_options(command);
    print_exits(command);
    (void)printf("\nExample:\n  %s\n", command->example);
    return EXIT_DONE;
}

static int help_all(void)
{
    (void)puts("chaperone: a gateway in front of protected health information\n\n"
               "usage: chaperone COMMAND [ARGUMENTS] [-c FILE] [-o table|json|jsonl|csv]\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("  %-18s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    (void)puts("\nTo act as yourself: CHAPERONE_TOKEN, --token-file FILE, or --as USER with the\n"
               "password from the terminal, standard input or --password-file FILE.\n"
               "chaperone help COMMAND says more; so does chaperone(1).");
    return EXIT_DONE;
}

/* "user": all commands that begin with this word. */
static int help_group(Bytes wanted)
{
    size_t found = 0;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const Bytes name = text_of(COMMANDS[i].name);

        if (!text_starts(name, wanted) || name.len == wanted.len || name.ptr[wanted.len] != ' ')
            continue;
        if (found++ == 0)
            (void)printf("usage: chaperone %.*s COMMAND\n\n", SHOW(wanted));
        (void)printf("  %-18s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    }
    if (found == 0)
        return cli_say(EXIT_USAGE, "no command \"%.*s\"; see chaperone help", SHOW(wanted));
    (void)printf("\nchaperone help %.*s COMMAND says more.\n", SHOW(wanted));
    return EXIT_DONE;
}

int command_help(Cli *c)
{
    CLEANUP(buf_done) Buf name = { 0 };
    const size_t from = c->word_count > 0 && strcmp(c->words[0], "help") == 0 ? 1 : 0;

    /* `chaperone help --help` is about help itself. */
    if (c->word_count <= from && cli_option(c, "help") == NULL)
        return help_all();
    buf_init(&name, ARGUMENT_BYTES);
    for (size_t i = c->word_count > 1 ? from : 0; i < c->word_count; i++)
        if (text_format(&name, "%s%s", buf_len(&name) > 0 ? " " : "", c->words[i]) != OK)
            return EXIT_USAGE;
    const Bytes wanted = buf_view(&name);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (text_eq(text_of(COMMANDS[i].name), wanted))
            return help_one(&COMMANDS[i]);
    return help_group(wanted);
}
