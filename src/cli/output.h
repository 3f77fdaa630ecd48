/* Results for people and for programs: table, JSON, JSON lines, CSV. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/gateway.h"

/* A list, or one object. */
void output_answer(const Cli *c, const Answer *answer);
/* One row, for lists that grow. */
void output_row(const Cli *c, const json_t *row);

#endif
