/* The way to one of a resource's servers: which address is being tried, which were, and what each
 * of them answered. One for each connection; the order is the configuration's and the resolver's.
 */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include "policy/policy.h"
#include "proto/pg/pg_backend.h"
#include "sys/channel.h"
#include "sys/net.h"

enum {
    ROUTE_DIAL_MS = 25000, /* the dialer itself lives for 20 s */
    ROUTE_TRIES_MAX = 32,
};

struct Worker;

typedef struct Route {
    char endpoint[NET_ENDPOINT_BYTES]; /* "10.0.0.7:5432" of the connection at hand; empty: none */
    uint32_t address;                  /* it is of this one in the resource's list */
    Buf tried;                         /* endpoints, a packed list */
    Buf why;                           /* "db1:5432 (10.0.0.7:5432): is a standby; …" */
    size_t count;
    bool any; /* prefer-standby: there was no standby */
} Route;

typedef enum RouteStep {
    ROUTE_CONNECTED, /* the answer's descriptor is the caller's */
    ROUTE_AGAIN,     /* dial once more */
    ROUTE_NOWHERE,   /* route->why says what each answered */
} RouteStep;

void route_done(Route *r);
/* From the first address again. */
void route_restart(Route *r);
/* Asks the supervisor for a connection to what was not tried yet. */
Err route_dial(const Route *r, const struct Worker *w, uint32_t resource, ChannelAnswer *fn,
               void *ctx) MUST_CHECK;
/* `m` NULL: the supervisor is gone. */
RouteStep route_answered(Route *r, const Resource *resource, const ChannelMessage *m);
/* Not this one: the next dial goes elsewhere. ERR_LIMIT: enough were tried. */
Err route_reject(Route *r, const Resource *resource, const char *why) MUST_CHECK;
/* NULL: the server is what target_session_attrs asks for; else what it is. */
const char *route_unfit(const Route *r, const Resource *resource, const PgBackend *backend);

#endif
