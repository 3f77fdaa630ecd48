/* Listening sockets: opened at a start, or taken over from the binary that ran before.
 *
 *     CHAPERONE_LISTENERS = "PORT-SOCKET,… HOST:PORT ADMIN-SOCKET PATH"     descriptors by number
 *
 * Whoever connects between the two waits in the kernel's queue. Sockets of another address than
 * the configuration's are not taken over. */
#ifndef SUPERVISOR_LISTENERS_H
#define SUPERVISOR_LISTENERS_H

#include "base/base.h"

struct Supervisor;

/* False: said why on stderr. */
bool listeners_open(struct Supervisor *s);
/* They, and the words that name them, live over an exec. */
bool listeners_pass_on(const struct Supervisor *s);

#endif
