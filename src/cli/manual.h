/* chaperone(1), from the table of commands. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "base/buf.h"

Err cli_manual(Buf *out) MUST_CHECK;

#endif
