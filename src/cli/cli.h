/* The command line. Every command is a row of one table (command_table.c), from which help,
 * completion and the unknown-command suggestions come too.
 *
 * stdout holds the result only; everything else goes to stderr. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

int cli_main(int argc, char **argv);

#endif
