/* The table of commands and what is made of it. */
#include "../test.h"

#include "base/mdoc.h"
#include "base/text.h"
#include "cli/command.h"

#include <string.h>

static void every_command_is_whole(void)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const Command *command = &COMMANDS[i];
        const char *at = command->options;
        Bytes name;

        EXPECT(command->run != NULL && command->help != NULL);
        EXPECT(command->example != NULL && strstr(command->example, command->name) != NULL);
        EXPECT((command_exits(command) & EXITS(DONE)) != 0);
        while (command_next_option(&at, &name)) {
            const OptionEntry *entry = option_entry(name);
            char written[64];

            EXPECT(entry != NULL && !entry->everywhere);
            (void)snprintf(written, sizeof written, "--%s", entry->name);
            EXPECT(command->arguments != NULL && strstr(command->arguments, written) != NULL);
        }
    }
}

static void every_option_has_a_command(void)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool taken = OPTIONS[i].everywhere;

        for (size_t k = 0; k < COMMAND_COUNT && !taken; k++) {
            const char *at = COMMANDS[k].options;
            Bytes name;

            while (command_next_option(&at, &name))
                taken = taken || text_eq(name, text_of(OPTIONS[i].name));
        }
        EXPECT(taken);
        EXPECT(OPTIONS[i].help[strlen(OPTIONS[i].help) - 1] == '.');
    }
}

static void every_status_has_words(void)
{
    unsigned used = 0;

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        used |= command_exits(&COMMANDS[i]);
    for (int status = 0; status <= EXIT_STATUS_MAX; status++)
        EXPECT(exit_words(status) != NULL);
    EXPECT(used >> (EXIT_STATUS_MAX + 1) == 0);
    EXPECT(exit_words(EXIT_STATUS_MAX + 1) == NULL && exit_words(-1) == NULL);
}

static bool is_text(const char *words, const char *expected)
{
    CLEANUP(buf_done) Buf out = { 0 };

    buf_init(&out, 4096);
    EXPECT(mdoc_text(&out, text_of(words)) == OK);
    return text_eq(buf_view(&out), text_of(expected));
}

static void manual_text_is_only_text(void)
{
    EXPECT(is_text("", ""));
    EXPECT(is_text("One. Two.", "One.\nTwo.\n"));
    EXPECT(is_text(".Sh 'x", "\\&.Sh 'x\n"));
    EXPECT(is_text("a. .Sh b", "a.\n\\&.Sh b\n"));
    EXPECT(is_text("'x' \\n --c", "\\&'x' \\en \\-\\-c\n"));
    EXPECT(is_text("is `a b` so", "is \\fBa b\\fR so\n"));
    EXPECT(is_text("GROUP… ▒", "GROUP... \\[u2592]\n"));
    EXPECT(is_text("0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
                   "0123456789",
                   "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n"
                   "0123456789\n"));
}

int main(void)
{
    TEST(every_command_is_whole);
    TEST(every_option_has_a_command);
    TEST(every_status_has_words);
    TEST(manual_text_is_only_text);
    return 0;
}
