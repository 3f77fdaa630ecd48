/* Random bytes from the kernel. Never fails: without them there is no security to offer, so
 * the process ends. */
#ifndef SYS_ENTROPY_H
#define SYS_ENTROPY_H

#include "base/base.h"

void random_fill(void *ret, size_t len);

#endif
