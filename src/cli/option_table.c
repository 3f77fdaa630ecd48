#include "cli/command.h"

#include "base/text.h"

#include <string.h>

const OptionEntry OPTIONS[] = {
    { .name = "config",
      .value = "FILE",
      .completes = ":file",
      .letter = 'c',
      .everywhere = true,
      .help = "The configuration; CHAPERONE_CONFIG, or /etc/chaperone/chaperone.yaml." },
    { .name = "output",
      .value = "FORMAT",
      .completes = "table json jsonl csv",
      .letter = 'o',
      .everywhere = true,
      .help = "table, json, jsonl or csv." },
    { .name = "json", .everywhere = true, .help = "The same as -o json." },
    { .name = "token-file",
      .value = "FILE",
      .completes = ":file",
      .everywhere = true,
      .help = "Act as whom the token in this file belongs to; CHAPERONE_TOKEN does so too." },
    { .name = "as",
      .value = "USER",
      .completes = "@user.ls name",
      .everywhere = true,
      .help = "Act as USER, with the password from the terminal, standard input or "
              "--password-file. Of explain: for whom to ask." },
    { .name = "help",
      .letter = 'h',
      .everywhere = true,
      .help = "Help on the command, instead of running it." },

    { .name = "anchor",
      .value = "FILE",
      .completes = ":file",
      .help = "A checkpoint that was kept elsewhere. May be given several times." },
    { .name = "check", .value = "WORD", .help = "The check word; approve only if it is this." },
    { .name = "end", .help = "Take new sessions again." },
    { .name = "expires",
      .value = "WHEN",
      .help = "When access ends: 8h, 30d, 1y from now, or a day such as 2027-01-31." },
    { .name = "group", .value = "GROUP", .help = "A group. May be given several times." },
    { .name = "journal",
      .value = "DIR",
      .completes = ":directory",
      .help = "The journal's folder; else the configuration's." },
    { .name = "key-file",
      .value = "FILE",
      .completes = ":file",
      .help = "Read the recovery key from the first line of this file." },
    { .name = "kind",
      .value = "KIND",
      .completes = "human service",
      .help = "human (when left out) or service, which signs in by token alone." },
    { .name = "lines", .value = "N", .help = "How many; 20 when left out." },
    { .name = "no-password", .help = "No password: tokens only." },
    { .name = "owner",
      .value = "USER",
      .completes = "@user.ls name",
      .help = "The person who answers for it." },
    { .name = "password-file",
      .value = "FILE",
      .completes = ":file",
      .everywhere = true,
      .help = "Read the password from the first line of this file." },
    { .name = "public-key",
      .value = "FILE",
      .completes = ":file",
      .help = "The ledger's public key, instead of the one beside the journal." },
    { .name = "purpose",
      .value = "PURPOSE",
      .completes = "treatment payment operations",
      .help = "The purpose of use." },
    { .name = "reason", .value = "TEXT", .help = "Why; it goes into the record." },
    { .name = "require-anchor",
      .help = "Exit with 11 when no checkpoint from outside was checked against." },
    { .name = "sql", .value = "TEXT", .help = "The statement." },
    { .name = "state",
      .value = "STATE",
      .completes = "open live",
      .help = "Only what is in this state: open requests, live sessions." },
    { .name = "timeout", .value = "TIME", .help = "How long to wait: 90s, 10m." },
    { .name = "ttl", .value = "TIME", .help = "How long it is good for: 8h, 30d." },
    { .name = "user",
      .value = "NAME",
      .completes = "@user.ls name",
      .help = "Whose; or, of lists, only this user's." },
    { .name = "wait", .help = "Come back when all sessions have left." },
    { .name = "watch", .help = "Go on, and print new ones as they come." },
};

const size_t OPTION_COUNT = COUNT_OF(OPTIONS);

const OptionEntry *option_entry(Bytes name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (text_eq(text_of(OPTIONS[i].name), name))
            return &OPTIONS[i];
    return NULL;
}

bool command_next_option(const char **at, Bytes *ret_name)
{
    if (*at == NULL || **at == '\0')
        return false;
    const size_t len = strcspn(*at, " ");

    *ret_name = (Bytes){ (const uint8_t *)*at, len };
    *at += len + strspn(*at + len, " ");
    return true;
}

unsigned command_exits(const Command *command)
{
    if (command->exits != 0)
        return command->exits;
    return command->call != NULL ? EXITS_CALL : EXITS_PLAIN;
}

const char *exit_words(int status)
{
    static const char *const WORDS[EXIT_STATUS_MAX + 1] = {
        [EXIT_DONE] = "done",
        [EXIT_FAILED] = "failed",
        [EXIT_USAGE] = "usage or invalid configuration",
        [EXIT_REFUSED] = "refused by policy",
        [EXIT_SIGN_IN] = "sign-in required",
        [EXIT_PENDING] = "pending: an approval, or sessions that have not left",
        [EXIT_DENIED] = "approval denied, expired or withdrawn",
        [EXIT_TARGET] = "target unreachable",
        [EXIT_GATEWAY] = "gateway unreachable",
        [EXIT_TAMPERED] = "verification failed: tampered",
        [EXIT_BUDGET] = "budget or rate limit",
        [EXIT_INCOMPLETE] = "incomplete",
    };

    return status >= 0 && status <= EXIT_STATUS_MAX ? WORDS[status] : NULL;
}
