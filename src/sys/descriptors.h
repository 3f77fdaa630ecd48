/* How many descriptors a process may have, and what fits: a session has two sockets. */
#ifndef SYS_DESCRIPTORS_H
#define SYS_DESCRIPTORS_H

#include "base/base.h"

enum { DESCRIPTORS_WANTED = 20256 }; /* for as many sessions as a worker takes at all */

/* As many as the hard limit lets us have; children inherit it. */
uint64_t descriptors_raise(void);
uint64_t descriptors_most(void); /* the hard limit */
/* Sessions that a worker with so many takes, 10,000 at most. */
size_t descriptors_sessions(uint64_t limit);
uint64_t descriptors_now(void); /* the limit in force */

#endif
