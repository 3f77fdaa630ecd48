/* Who asks for /metrics, /healthz and /readyz. No sign-in, so no secret: numbers only.
 *
 * Nobody else notices them: a bounded number of places, of which the oldest without a whole
 * request is given to the next; a deadline for each; the keeper is asked at most once a second,
 * and never twice at a time. */
#ifndef CONSOLE_WEB_H
#define CONSOLE_WEB_H

#include "base/buf.h"
#include "sys/channel.h"

enum { WEB_PLACES = 32 };

struct Web;

typedef enum WebWants { WEB_REQUEST = 0, WEB_METRICS, WEB_READY, WEB_GONE } WebWants;

typedef struct Visitor {
    struct Web *web;
    int fd; /* -1: a free place */
    uv_poll_t *poll;
    WebWants wants; /* a whole request; the keeper's numbers; to read the answer */
    bool is_head;
    Buf in, out;
    uint64_t since_ms;
} Visitor;

typedef struct Web {
    uv_loop_t *loop;
    Channel *keeper;
    uv_poll_t listener;
    Visitor visitors[WEB_PLACES];
    bool asking;
    uint64_t told_ms; /* when `numbers` came; 0: never */
    Buf numbers;      /* packed Metrics */
} Web;

/* Takes what waits at CHILD_METRICS_FD from now on. */
Err web_begin(Web *w, uv_loop_t *loop, Channel *keeper) MUST_CHECK;
/* Deadlines. */
void web_sweep(Web *w);

#endif
