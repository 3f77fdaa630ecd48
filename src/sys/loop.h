/* The event loop is libuv's. Data sockets and channels go through uv_poll, so that read
 * sizes, order and back-pressure are ours. */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "base/base.h"

#include <uv.h>

#endif
