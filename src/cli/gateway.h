/* Calls over the admin socket, and their answers as JSON trees. */
#ifndef CLI_GATEWAY_H
#define CLI_GATEWAY_H

#include "cli/command.h"

#include <jansson.h>

typedef struct Answer {
    json_t *parts;  /* array: the rows of a list */
    json_t *result; /* or the error */
    int exit_status;
} Answer;

void answer_done(Answer *a);
/* Calls `name` with `args` (taken over) as whom the command line says. Everything that goes
 * wrong on the way is said on stderr; then only ret->exit_status is set. */
bool gateway_call(Cli *c, const char *name, json_t *args, Answer *ret);
/* The call of this command with its words and options; NULL: said why. */
json_t *gateway_arguments(Cli *c);
/* A password from --password-file, standard input or the terminal. ERR_MORE: none was given. */
Err gateway_password(const Cli *c, const char *prompt, Buf *out) MUST_CHECK;

/* The first line of the file, or of standard input or the terminal when `path` is NULL. */
Err gateway_secret(const char *path, const char *prompt, Buf *out) MUST_CHECK;

#endif
