/* libcrypto loads itself on first use: error texts, algorithms, its configuration file. A sandboxed
 * process cannot open files, so each kind of use is made once before the sandbox closes. */
#ifndef CRYPTO_WARM_H
#define CRYPTO_WARM_H

#include "base/base.h"

/* No configuration file is read: what an algorithm is must not depend on a file. */
Err crypto_warm(void) MUST_CHECK;

#endif
