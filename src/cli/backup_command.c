/* `recovery-key new`, `backup`, `restore`: for root on the gateway's host. */
#include "cli/gateway.h"

#include "backup/backup.h"
#include "backup/restore.h"
#include "base/text.h"
#include "supervisor/supervisor.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_TEXT_MAX = 512 };

/* ERR_IO has an errno behind it; the rest is said already. */
static int failed(Err err, const char *what, const char *why)
{
    if (err == ERR_IO)
        return cli_say(EXIT_FAILED, "%s: %s (%s)", what, why, strerror(errno));
    return cli_say(EXIT_FAILED, "%s: %s", what, why);
}

int command_recovery_key(Cli *c)
{
    CLEANUP(buf_done) Buf secret = { 0 };
    CLEANUP(buf_done) Buf public_text = { 0 };
    RecoveryKey key;

    (void)c;
    buf_init(&secret, KEY_TEXT_MAX);
    buf_init(&public_text, KEY_TEXT_MAX);
    Err err = recovery_key_new(&key);
    if (err == OK)
        err = recovery_key_write(&key, &secret);
    if (err == OK)
        err = recovery_public_write(key.public_key, &public_text);
    recovery_key_done(&key);
    if (err != OK)
        return cli_say(EXIT_FAILED, "out of memory");
    (void)fprintf(
        stderr, "The private half, shown this once and kept nowhere; keep it offline. Whoever has "
                "it and a backup\nhas everything:\n\n");
    (void)printf("%.*s\n", SHOW(buf_view(&secret)));
    (void)fprintf(stderr,
                  "\nThe public half, for the configuration:\n\nstorage:\n  recovery_key: "
                  "\"%.*s\"\n",
                  SHOW(buf_view(&public_text)));
    return EXIT_DONE;
}

/* What the keeper wrote lately is sealed, so that it is in the backup. */
static void seal_first(Cli *c)
{
    CLEANUP(answer_done) Answer answer = { 0 };

    if (!gateway_call(c, c->command->call, json_object(), &answer))
        (void)cli_say(0, "this is a backup of the files as they lie");
}

int command_backup(Cli *c)
{
    BackupDone done;
    const char *why;

    if (c->word_count != 1)
        return cli_say(EXIT_USAGE, "usage: chaperone backup %s", c->command->arguments);
    if (!cli_config(c))
        return EXIT_USAGE;
    if (c->config.storage.recovery_key.len == 0)
        return cli_say(EXIT_USAGE, "storage.recovery_key is not set: chaperone recovery-key new");
    seal_first(c);
    const Err err = backup_write(&c->config.storage, c->words[0], &done, &why);
    if (err != OK)
        return failed(err, c->words[0], why);
    if (c->format != FORMAT_TABLE)
        (void)printf("{\"schema_version\":1,\"segments\":%llu,\"records\":%llu}\n",
                     (unsigned long long)done.segments, (unsigned long long)done.records);
    else
        (void)printf("%llu records in %llu segments\n", (unsigned long long)done.records,
                     (unsigned long long)done.segments);
    return EXIT_DONE;
}

/* --- restore ------------------------------------------------------------------------------ */

static bool read_key(const Cli *c, RecoveryKey *ret)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, KEY_TEXT_MAX);
    if (gateway_secret(cli_option(c, "key-file"), "Recovery key", &text) != OK) {
        (void)cli_say(0, "the recovery key cannot be read");
        return false;
    }
    if (recovery_key_read(buf_view(&text), ret) == OK)
        return true;
    (void)cli_say(0, "this is no recovery key: it begins with rk1- and has a check at its end");
    return false;
}

int command_restore(Cli *c)
{
    RecoveryKey key = { 0 };
    uint64_t records;
    const char *why;

    if (c->word_count != 1)
        return cli_say(EXIT_USAGE, "usage: chaperone restore %s", c->command->arguments);
    if (!cli_config(c) || !read_key(c, &key))
        return EXIT_USAGE;
    const Restore wish = { .storage = &c->config.storage,
                           .path = c->words[0],
                           .key = &key,
                           .owner = geteuid() == 0 ? SUPERVISOR_FIRST_UID : 0 };
    const Err err = restore_run(&wish, &records, &why);
    recovery_key_done(&key);
    if (err != OK)
        return failed(err, c->words[0], why);
    (void)printf("%llu records\n", (unsigned long long)records);
    (void)fprintf(stderr,
                  "restored; the ledger goes on in a new epoch. What was recorded after the backup "
                  "is not here:\n`chaperone audit verify --anchor` with a later checkpoint says so."
                  "\n");
    return EXIT_DONE;
}
