#include "cli/cli.h"

#include "base/text.h"
#include "cli/command.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char DEFAULT_CONFIG[] = "/etc/chaperone/chaperone.yaml";

int cli_say(int exit_status, const char *format, ...)
{
    va_list args;

    (void)fputs("chaperone: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return exit_status;
}

const char *cli_option(const Cli *c, const char *name)
{
    for (size_t i = 0; i < c->option_count; i++)
        if (strcmp(c->options[i].name, name) == 0)
            return c->options[i].value;
    return NULL;
}

/* --- configuration ------------------------------------------------------------------------ */

bool cli_config(Cli *c)
{
    CLEANUP(buf_done) Buf yaml = { 0 };
    CLEANUP(buf_done) Buf words = { 0 };
    Problems problems = { 0 };

    if (c->config.version != 0)
        return true;
    buf_init(&yaml, CONFIG_BYTES_MAX);
    buf_init(&words, 1 << 20);
    if (file_read_all(c->config_path, &yaml) != OK) {
        (void)cli_say(0, "cannot read %s: %s (-c FILE or CHAPERONE_CONFIG says another)",
                      c->config_path, strerror(errno));
        return false;
    }
    if (config_load(buf_view(&yaml), &c->arena, &c->config, &problems) == OK)
        return true;
    if (problems_print(&problems, buf_view(&yaml), c->config_path, &words) == OK)
        (void)fprintf(stderr, "%.*s", SHOW(buf_view(&words)));
    return false;
}

/* --- times -------------------------------------------------------------------------------- */

static Err from_now(const char *text, uint64_t *ret)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } UNITS[] = { { 's', 1 },     { 'm', 60 },     { 'h', 3600 },
                  { 'd', 86400 }, { 'w', 604800 }, { 'y', 31536000 } };
    const size_t len = strlen(text);
    uint64_t count;

    if (len < 2)
        return ERR_MALFORMED;
    TRY(text_u64((Bytes){ (const uint8_t *)text, len - 1 }, 36500, &count));
    for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
        if (UNITS[i].unit != text[len - 1])
            continue;
        *ret = clock_now().unix_ns + count * UNITS[i].seconds * 1000000000;
        return OK;
    }
    return ERR_MALFORMED;
}

Err cli_expiry(const char *text, uint64_t *ret_unix_ns)
{
    struct tm day = { 0 };
    int end = 0;

    if (sscanf(text, "%4d-%2d-%2d%n", &day.tm_year, &day.tm_mon, &day.tm_mday, &end) != 3 ||
        text[end] != '\0')
        return from_now(text, ret_unix_ns);
    day.tm_year -= 1900;
    day.tm_mon--;
    const time_t at = timegm(&day);
    if (at <= 0)
        return ERR_MALFORMED;
    *ret_unix_ns = (uint64_t)at * 1000000000;
    return OK;
}

/* --- finding the command ------------------------------------------------------------------ */

/* How many of the first words name a command; 0: none does. */
static size_t match(const Cli *c, const Command *command)
{
    const char *rest = command->name;
    size_t count = 0;

    while (*rest != '\0') {
        const size_t len = strcspn(rest, " ");

        if (count == c->word_count || strlen(c->words[count]) != len ||
            strncmp(c->words[count], rest, len) != 0)
            return 0;
        count++;
        rest += len + (rest[len] == ' ' ? 1 : 0);
    }
    return count;
}

static int unknown_command(const Cli *c)
{
    CLEANUP(buf_done) Buf said = { 0 };

    buf_init(&said, ARGUMENT_BYTES);
    for (size_t i = 0; i < c->word_count && i < 2; i++)
        if (text_format(&said, "%s%s", i > 0 ? " " : "", c->words[i]) != OK)
            return EXIT_USAGE;
    Nearest nearest = nearest_to(buf_view(&said));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        nearest_offer(&nearest, text_of(COMMANDS[i].name));
    if (nearest.best.len > 0)
        return cli_say(EXIT_USAGE, "no command \"%.*s\"; did you mean \"%.*s\"?",
                       SHOW(buf_view(&said)), SHOW(nearest.best));
    return cli_say(EXIT_USAGE, "no command \"%.*s\"; see chaperone help", SHOW(buf_view(&said)));
}

static const Command *find(Cli *c)
{
    const Command *best = NULL;
    size_t longest = 0;

    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const size_t words = match(c, &COMMANDS[i]);

        if (words > longest) {
            longest = words;
            best = &COMMANDS[i];
        }
    }
    if (best != NULL && best->run != command_help) {
        c->word_count -= longest;
        memmove(c->words, c->words + longest, c->word_count * sizeof c->words[0]);
    }
    return best;
}

/* --- options ------------------------------------------------------------------------------ */

static bool takes(const Command *command, const char *name)
{
    const OptionEntry *entry = option_entry(text_of(name));
    const char *at = command->options;
    Bytes own;

    if (entry != NULL && entry->everywhere)
        return true;
    while (command_next_option(&at, &own))
        if (text_eq(own, text_of(name)))
            return true;
    return false;
}

/* An option's name ends before "=": a copy of it. */
static const char *name_of(Cli *c, const char *text, size_t len)
{
    const char *name;

    return arena_string(&c->arena, (Bytes){ (const uint8_t *)text, len }, &name) == OK ? name : "";
}

static bool add_option(Cli *c, const char *name, const char *value)
{
    if (c->option_count == OPTIONS_MAX)
        return false;
    c->options[c->option_count++] = (Option){ name, value };
    return true;
}

/* Reads the option at argv[*at]. Which command it is for is known only later. */
static bool read_option(Cli *c, int argc, char **argv, int *at)
{
    const char *text = argv[*at] + 2;
    const size_t len = strcspn(text, "=");
    const bool attached = text[len] == '=';
    const OptionEntry *entry = option_entry((Bytes){ (const uint8_t *)text, len });

    if (entry == NULL) {
        (void)cli_say(0, "no option --%.*s", (int)len, text);
        return false;
    }
    if (entry->value == NULL)
        return !attached && add_option(c, name_of(c, text, len), "");
    if (attached)
        return add_option(c, name_of(c, text, len), text + len + 1);
    if (*at + 1 == argc) {
        (void)cli_say(0, "option --%s needs a value", text);
        return false;
    }
    return add_option(c, name_of(c, text, len), argv[++*at]);
}

static const char *long_of(const char *text)
{
    static const char *const SHORT[][2] = { { "-c", "--config" },
                                            { "-o", "--output" },
                                            { "-h", "--help" } };

    for (size_t i = 0; i < COUNT_OF(SHORT); i++)
        if (strcmp(text, SHORT[i][0]) == 0)
            return SHORT[i][1];
    return text;
}

static bool read_words(Cli *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *text = long_of(argv[i]);

        if (strncmp(text, "--", 2) == 0 && text[2] != '\0') {
            /* Only -c, -o and -h are replaced; each is as long as its table says. */
            char *args[3] = { (char *)(uintptr_t)text, i + 1 < argc ? argv[i + 1] : NULL, NULL };
            int at = 0;
            if (!read_option(c, i + 1 < argc ? 2 : 1, args, &at))
                return false;
            i += at;
        } else if (c->word_count == WORDS_MAX) {
            return false;
        } else {
            c->words[c->word_count++] = argv[i];
        }
    }
    return true;
}

static bool check_options(const Cli *c)
{
    for (size_t i = 0; i < c->option_count; i++) {
        if (takes(c->command, c->options[i].name))
            continue;
        (void)cli_say(0, "%s takes no option --%s", c->command->name, c->options[i].name);
        return false;
    }
    return true;
}

static bool choose_format(Cli *c)
{
    static const char *const NAMES[] = { "table", "json", "jsonl", "csv" };
    const char *output = cli_option(c, "json") != NULL ? "json" : cli_option(c, "output");

    if (output == NULL)
        return true;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (strcmp(output, NAMES[i]) == 0) {
            c->format = (Format)i;
            return true;
        }
    }
    (void)cli_say(0, "-o is table, json, jsonl or csv");
    return false;
}

void cli_choose_config(Cli *c)
{
    const char *given = cli_option(c, "config"), *environment = getenv("CHAPERONE_CONFIG");

    c->config_path = given != NULL ? given : environment != NULL ? environment : DEFAULT_CONFIG;
}

static int run(Cli *c, int argc, char **argv)
{
    if (!read_words(c, argc, argv))
        return EXIT_USAGE;
    cli_choose_config(c);
    if (c->word_count == 0)
        c->words[c->word_count++] = "help";
    c->command = find(c);
    if (c->command == NULL)
        return cli_option(c, "help") != NULL ? command_help(c) : unknown_command(c);
    if (!check_options(c) || !choose_format(c))
        return EXIT_USAGE;
    if (cli_option(c, "help") != NULL) {
        c->words[0] = c->command->name;
        c->word_count = 1;
        return command_help(c);
    }
    return c->command->run(c);
}

int cli_main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--complete") == 0)
        return command_complete(argc - 2, argv + 2);
    Cli *c = calloc(1, sizeof *c);

    if (c == NULL)
        return EXIT_FAILED;
    arena_init(&c->arena, CONFIG_ARENA_BYTES + ARGUMENT_BYTES);
    const int status = run(c, argc, argv);
    arena_done(&c->arena);
    free(c);
    return status;
}
