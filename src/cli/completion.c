/* Completion: the scripts for the shells are thin, and ask the binary itself, which answers from
 * the one table of commands. What it prints is a line for each candidate, with its description
 * behind a tab; ":file" and ":directory" leave the word to the shell. */
#include "cli/gateway.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASKING_SECONDS = 2, CANDIDATES_MAX = 500 };

static const char BASH[] =
    "# Completion of chaperone for bash.\n"
    "_chaperone() {\n"
    "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" line\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case \"$line\" in\n"
    "        :file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "        :directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") "
    ";;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _chaperone chaperone\n";

static const char ZSH[] =
    "#compdef chaperone\n"
    "# Completion of chaperone for zsh.\n"
    "_chaperone() {\n"
    "    local line\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        case \"$line\" in\n"
    "        :file) _files ;;\n"
    "        :directory) _files -/ ;;\n"
    "        *) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[1]}\" --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    (( $#found )) && _describe -t commands chaperone found\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _chaperone ]; then _chaperone \"$@\"; else compdef _chaperone "
    "chaperone; fi\n";

static const char FISH[] =
    "# Completion of chaperone for fish.\n"
    "function __chaperone_complete\n"
    "    set -l before (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    for line in ($before[1] --complete $before[2..-1] \"$current\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case :file\n"
    "                __fish_complete_path \"$current\"\n"
    "            case :directory\n"
    "                __fish_complete_directories \"$current\"\n"
    "            case '*'\n"
    "                printf '%s\\n' $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c chaperone -f -a '(__chaperone_complete)'\n";

int command_completion(Cli *c)
{
    static const struct {
        const char *shell, *script;
    } SHELLS[] = { { "bash", BASH }, { "zsh", ZSH }, { "fish", FISH } };

    for (size_t i = 0; c->word_count == 1 && i < COUNT_OF(SHELLS); i++)
        if (strcmp(c->words[0], SHELLS[i].shell) == 0)
            return fputs(SHELLS[i].script, stdout) >= 0 ? EXIT_DONE : EXIT_FAILED;
    return cli_say(EXIT_USAGE, "usage: chaperone completion bash|zsh|fish");
}

/* --- the line as it stands ---------------------------------------------------------------- */

typedef struct Line {
    Cli *cli; /* its words are those before the last that are no options */
    Bytes last;
    const OptionEntry *option; /* the last word is this option's value */
    const Command *command;    /* whole; NULL: not yet */
    size_t taken;              /* words of its name */
} Line;

static void offer(const Line *l, Bytes word, const char *words)
{
    if (!text_starts(word, l->last))
        return;
    (void)printf("%.*s%s%s\n", SHOW(word), words[0] != '\0' ? "\t" : "", words);
}

static const OptionEntry *option_of(const char *text)
{
    for (size_t i = 0; text[0] == '-' && i < OPTION_COUNT; i++) {
        const OptionEntry *entry = &OPTIONS[i];

        if ((text[1] == entry->letter && entry->letter != 0 && text[2] == '\0') ||
            (text[1] == '-' && strcmp(text + 2, entry->name) == 0))
            return entry;
    }
    return NULL;
}

static void read_line(Line *l, int argc, char **argv)
{
    Cli *c = l->cli;

    for (int i = 0; i < argc - 1; i++) {
        const OptionEntry *entry = option_of(argv[i]);

        if (argv[i][0] != '-' && c->word_count < WORDS_MAX)
            c->words[c->word_count++] = argv[i];
        if (entry == NULL || entry->value == NULL)
            continue;
        if (i + 1 == argc - 1)
            l->option = entry;
        else if (c->option_count < OPTIONS_MAX)
            c->options[c->option_count++] = (Option){ entry->name, argv[i + 1] };
        i++;
    }
    l->last = text_of(argv[argc - 1]);
}

/* How many words of the line begin this command's name; its length in *ret_chars, blanks counted.
 */
static size_t begins(const Line *l, const char *name, size_t *ret_chars)
{
    size_t at = 0, count = 0;

    while (count < l->cli->word_count && name[at] != '\0') {
        const size_t len = strcspn(name + at, " ");

        if (strlen(l->cli->words[count]) != len ||
            strncmp(l->cli->words[count], name + at, len) != 0)
            break;
        count++;
        at += len + (name[at + len] == ' ' ? 1 : 0);
    }
    *ret_chars = at;
    return count;
}

static void find_command(Line *l)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t chars;
        const size_t count = begins(l, COMMANDS[i].name, &chars);

        if (COMMANDS[i].name[chars] != '\0' || count <= l->taken)
            continue;
        l->command = &COMMANDS[i];
        l->taken = count;
    }
}

/* --- candidates --------------------------------------------------------------------------- */

/* The next word of each command that begins so; "user" comes once. */
static void offer_commands(const Line *l)
{
    Bytes before = { 0 };

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *name = COMMANDS[i].name;
        size_t chars;

        if (begins(l, name, &chars) != l->cli->word_count || name[chars] == '\0')
            continue;
        const size_t len = strcspn(name + chars, " ");
        const Bytes word = { (const uint8_t *)name + chars, len };
        if (!text_eq(word, before))
            offer(l, word, name[chars + len] == '\0' ? COMMANDS[i].help : "");
        before = word;
    }
}

static void offer_options(const Line *l)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *at = l->command != NULL ? l->command->options : NULL;
        bool taken = OPTIONS[i].everywhere;
        char word[40];
        Bytes name;

        while (!taken && command_next_option(&at, &name))
            taken = text_eq(name, text_of(OPTIONS[i].name));
        (void)snprintf(word, sizeof word, "--%s", OPTIONS[i].name);
        if (taken)
            offer(l, text_of(word), OPTIONS[i].help);
    }
}

/* What the running gateway lists: "user.ls name". Nobody waits long for it, and where it does not
 * answer there is nothing to offer. */
static void offer_listed(const Line *l, const char *what)
{
    const size_t len = strcspn(what, " ");
    CLEANUP(answer_done) Answer answer = { 0 };
    Cli *c = l->cli;
    char call[32];

    if (cli_option(c, "as") != NULL || len >= sizeof call)
        return; /* it would read a password */
    (void)snprintf(call, sizeof call, "%.*s", (int)len, what);
    (void)alarm(ASKING_SECONDS);
    if (!gateway_call(c, call, json_object(), &answer))
        return;
    for (size_t i = 0; i < json_array_size(answer.parts) && i < CANDIDATES_MAX; i++) {
        const json_t *part = json_array_get(answer.parts, i);
        const char *text = json_string_value(json_object_get(part, what + len + 1));

        if (text != NULL)
            offer(l, text_of(text), "");
    }
}

static void offer_values(const Line *l, const char *completes)
{
    Bytes word;

    if (completes == NULL)
        return;
    if (completes[0] == ':')
        (void)puts(completes);
    else if (completes[0] == '@')
        offer_listed(l, completes + 1);
    else
        while (command_next_option(&completes, &word))
            offer(l, word, "");
}

static void answer_line(Line *l)
{
    find_command(l);
    if (l->option != NULL) {
        offer_values(l, l->option->completes);
        return;
    }
    if (l->last.len > 0 && l->last.ptr[0] == '-') {
        offer_options(l);
        return;
    }
    if (l->cli->word_count > 0 && strcmp(l->cli->words[0], "help") == 0) {
        memmove(l->cli->words, l->cli->words + 1, --l->cli->word_count * sizeof l->cli->words[0]);
        offer_commands(l);
        return;
    }
    offer_commands(l);
    if (l->command != NULL && l->cli->word_count == l->taken)
        offer_values(l, l->command->completes);
}

int command_complete(int argc, char **argv)
{
    Cli *c = calloc(1, sizeof *c);
    Line l = { .cli = c };

    if (c == NULL)
        return EXIT_FAILED;
    arena_init(&c->arena, CONFIG_ARENA_BYTES + ARGUMENT_BYTES);
    read_line(&l, argc, argv);
    cli_choose_config(c);
    c->command = &COMMANDS[0]; /* --as is not an argument of it */
    answer_line(&l);
    arena_done(&c->arena);
    free(c);
    return EXIT_DONE;
}
