/* Commands that need neither gateway nor configuration. */
#include "cli/command.h"

#include "base/text.h"
#include "model/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- help --------------------------------------------------------------------------------- */

static void help_one(const Command *command)
{
    (void)printf("chaperone %s%s%s\n\n  %s\n", command->name, command->arguments != NULL ? " " : "",
                 command->arguments != NULL ? command->arguments : "", command->help);
}

static int help_all(void)
{
    (void)puts("chaperone: a gateway in front of protected health information\n\n"
               "usage: chaperone COMMAND [ARGUMENTS] [-c FILE] [-o table|json|jsonl|csv]\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("  %-18s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    (void)puts("\nTo act as yourself: CHAPERONE_TOKEN, --token-file FILE, or --as USER with the\n"
               "password from the terminal, standard input or --password-file FILE.\n"
               "chaperone COMMAND --help says more.");
    return EXIT_DONE;
}

int command_help(Cli *c)
{
    CLEANUP(buf_done) Buf name = { 0 };
    const size_t from = c->word_count > 0 && strcmp(c->words[0], "help") == 0 ? 1 : 0;
    bool found = false;

    if (c->word_count <= from)
        return help_all();
    buf_init(&name, 1024);
    for (size_t i = from; i < c->word_count; i++)
        if (text_format(&name, "%s%s", i > from ? " " : "", c->words[i]) != OK)
            return EXIT_USAGE;
    const Bytes wanted = buf_view(&name);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const Bytes at = text_of(COMMANDS[i].name);
        if (text_starts(at, wanted) && (at.len == wanted.len || at.ptr[wanted.len] == ' ')) {
            help_one(&COMMANDS[i]);
            found = true;
        }
    }
    return found ? EXIT_DONE : cli_say(EXIT_USAGE, "no command \"%.*s\"", SHOW(wanted));
}

int command_version(Cli *c)
{
    if (c->format == FORMAT_TABLE)
        (void)puts("chaperone " CHAPERONE_VERSION);
    else
        (void)puts("{\"schema_version\":1,\"version\":\"" CHAPERONE_VERSION "\"}");
    return EXIT_DONE;
}

/* --- codes -------------------------------------------------------------------------------- */

int command_error(Cli *c)
{
    static const char *const SEVERITIES[] = { "notice", "error", "fatal" };
    const char *text = c->word_count > 0 ? c->words[0] : "";
    uint64_t number = 0;

    if (strncmp(text, "CHP-", 4) == 0 || strncmp(text, "chp-", 4) == 0)
        text += 4;
    const Err err = text_u64(text_of(text), 9999, &number);
    const MessageEntry *entry = err == OK ? message_entry((MessageCode)number) : NULL;
    if (entry == NULL)
        return cli_say(EXIT_USAGE, "no such code; codes look like CHP-3101");
    (void)printf("CHP-%u: %s (%s, SQLSTATE %s)\n", (unsigned)entry->code, entry->title,
                 SEVERITIES[entry->severity], entry->sqlstate);
    if (entry->next[0] != '\0')
        (void)printf("next: %s\n", entry->next);
    return EXIT_DONE;
}

/* --- completion --------------------------------------------------------------------------- */

static void complete_bash(void)
{
    (void)puts(
        "_chaperone() {\n"
        "    local line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
        "    local commands='");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("%s\n", COMMANDS[i].name);
    (void)puts(
        "'\n"
        "    [ -n \"$line\" ] && line=\"$line \"\n"
        "    local words=$(printf '%s\\n' \"$commands\" | sed -n \"s/^$line\\([^ ]*\\).*/\\1/p\")\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
        "}\n"
        "complete -F _chaperone chaperone");
}

static void complete_zsh(void)
{
    (void)puts("#compdef chaperone\nautoload -U +X bashcompinit && bashcompinit");
    complete_bash();
}

static void complete_fish(void)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = COMMANDS[i].name, *space = strchr(name, ' ');

        if (space == NULL)
            (void)printf("complete -c chaperone -f -n __fish_use_subcommand -a %s -d '%s'\n", name,
                         COMMANDS[i].help);
        else
            (void)printf("complete -c chaperone -f -n __fish_use_subcommand -a %.*s\n"
                         "complete -c chaperone -f -n '__fish_seen_subcommand_from %.*s' -a %s\n",
                         (int)(space - name), name, (int)(space - name), name, space + 1);
    }
}

int command_completion(Cli *c)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } SHELLS[] = { { "bash", complete_bash }, { "zsh", complete_zsh }, { "fish", complete_fish } };

    for (size_t i = 0; c->word_count == 1 && i < COUNT_OF(SHELLS); i++) {
        if (strcmp(c->words[0], SHELLS[i].shell) == 0) {
            SHELLS[i].print();
            return EXIT_DONE;
        }
    }
    return cli_say(EXIT_USAGE, "usage: chaperone completion bash|zsh|fish");
}
