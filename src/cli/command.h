/* One command: how it is written, what it is for, and what it does. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/arena.h"
#include "config/config.h"

typedef enum ExitStatus {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,
    EXIT_SIGN_IN = 4,
    EXIT_PENDING = 5,
    EXIT_DENIED = 6,
    EXIT_TARGET = 7,
    EXIT_GATEWAY = 8,
    EXIT_TAMPERED = 9,
    EXIT_BUDGET = 10,
    EXIT_INCOMPLETE = 11,
} ExitStatus;

typedef enum Format { FORMAT_TABLE = 0, FORMAT_JSON, FORMAT_JSONL, FORMAT_CSV } Format;

enum { WORDS_MAX = 16, OPTIONS_MAX = 64, ARGUMENT_BYTES = 1 << 20 };

typedef struct Option {
    const char *name;  /* without "--" */
    const char *value; /* "" for flags */
} Option;

struct Command;

/* A command line, read. */
typedef struct Cli {
    const struct Command *command;
    const char *words[WORDS_MAX]; /* what is no option */
    size_t word_count;
    Option options[OPTIONS_MAX];
    size_t option_count;
    const char *config_path;
    Format format;
    Arena arena;
    Config config; /* after cli_config() */
} Cli;

typedef int CommandFn(Cli *c);

typedef struct Command {
    const char *name;      /* "user add" */
    const char *arguments; /* for people: "NAME [--group GROUP]…" */
    const char *options;   /* "group no-password": of OPTIONS, besides those taken everywhere */
    const char *help;
    CommandFn *run;
    /* Of calls of the admin socket: */
    const char *call;    /* "user.add" */
    const char *words;   /* names of the words, in order: "name"; a "?" behind: may be left out */
    const char *columns; /* of a list, or of one object; "name:TITLE" */
    const char *plain;   /* the only member that a table shows: "token" */
    bool as_is_argument; /* --as says for whom, not who calls */
    /* For help, the manual page and completion: */
    const char *more;      /* what one line does not hold */
    unsigned exits;        /* bits: EXITS(DONE) | …; 0: EXITS_CALL of a call, else EXITS_PLAIN */
    const char *completes; /* the first word: see OptionEntry */
    const char *example;
} Command;

#define EXITS(name) (1u << EXIT_##name)
#define EXITS_PLAIN (EXITS(DONE) | EXITS(FAILED) | EXITS(USAGE))
#define EXITS_CALL  (EXITS_PLAIN | EXITS(REFUSED) | EXITS(SIGN_IN) | EXITS(GATEWAY))

extern const Command COMMANDS[];
extern const size_t COMMAND_COUNT;

/* An option means the same wherever it is taken. */
typedef struct OptionEntry {
    const char *name;
    const char *value;     /* for people: "FILE"; NULL: a flag */
    const char *completes; /* "human service", ":file", ":directory", or "@user.ls name": what the
                            * call lists under that member; NULL: nothing is known */
    const char *help;
    char letter;     /* "-c"; 0: none */
    bool everywhere; /* every command takes it */
} OptionEntry;

extern const OptionEntry OPTIONS[];
extern const size_t OPTION_COUNT;
const OptionEntry *option_entry(Bytes name); /* NULL: no such option */

/* Walks the names in Command.options: *at is moved on; false: there is none left. */
bool command_next_option(const char **at, Bytes *ret_name);
unsigned command_exits(const Command *command);
/* What an exit status means; NULL: it is not used. */
const char *exit_words(int status);
enum { EXIT_STATUS_MAX = EXIT_INCOMPLETE };

/* NULL: not given. */
const char *cli_option(const Cli *c, const char *name);
/* Sets config_path: -c, CHAPERONE_CONFIG, or the usual place. */
void cli_choose_config(Cli *c);
/* To stderr, with the program's name before it. Returns `exit_status`. */
int cli_say(int exit_status, const char *format, ...) PRINTF_LIKE(2, 3);
/* Loads the configuration once; false: said why. */
bool cli_config(Cli *c);
/* Absolute nanoseconds of "8h", "30d", "2027-01-31"; ERR_MALFORMED. */
Err cli_expiry(const char *text, uint64_t *ret_unix_ns) MUST_CHECK;

/* admin_command.c */
CommandFn command_call, command_user_add, command_approvals;
/* local_command.c */
CommandFn command_version, command_error;
/* help.c */
CommandFn command_help;
/* backup_command.c */
CommandFn command_recovery_key, command_backup, command_restore;
/* completion.c */
CommandFn command_completion;
/* `chaperone --complete WORD…`: what may stand in the last word's place, a line each. Asked by the
 * scripts of `completion`. */
int command_complete(int argc, char **argv);
/* config_command.c */
CommandFn command_serve, command_config_validate, command_config_show, command_config_schema,
    command_config_reference, command_doctor;
/* diff_command.c */
CommandFn command_config_diff;
/* drain_command.c */
CommandFn command_drain;
/* explain_command.c */
CommandFn command_explain;
/* play_command.c */
CommandFn command_session_play;
/* audit_command.c */
CommandFn command_audit_verify, command_audit_tail;

#endif
