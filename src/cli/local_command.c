/* Commands that need neither gateway nor configuration. */
#include "cli/command.h"

#include "base/text.h"
#include "model/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
