/* The numbers of the keeper as Prometheus reads them: text exposition format 0.0.4. */
#ifndef CONSOLE_EXPOSITION_H
#define CONSOLE_EXPOSITION_H

#include "model/ask.h"

Err exposition_write(const Metrics *m, Buf *out) MUST_CHECK;
/* Is everything in order to take sessions? `out` gets why not, a line each. */
bool exposition_ready(const Metrics *m, Buf *out);

#endif
