#include "worker/edition.h"

#include "base/text.h"
#include "model/ask.h"

#include <string.h>

enum { TRIED_MAX = 8 << 10, WHY_MAX = 16 << 10 };

void route_done(Route *r)
{
    buf_done(&r->tried);
    buf_done(&r->why);
}

void route_restart(Route *r)
{
    route_done(r);
    *r = (Route){ 0 };
    buf_init(&r->tried, TRIED_MAX);
    buf_init(&r->why, WHY_MAX);
}

Err route_dial(const Route *r, const Worker *w, uint32_t resource, ChannelAnswer *fn, void *ctx)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const DialAsk ask = { .epoch = w->edition->epoch,
                          .resource = resource,
                          .tried.packed = buf_view(&r->tried) };

    buf_init(&body, TRIED_MAX + 64);
    TRY(pack_dial(&body, &ask));
    return channel_ask(w->supervisor, ASK_DIAL, buf_view(&body), fn, ctx);
}

static Err add_words(Route *r, Bytes words)
{
    if (words.len == 0)
        return OK;
    TRY(buf_append(&r->why, buf_len(&r->why) > 0 ? LIT("; ") : LIT("")));
    return buf_append(&r->why, utf8_upto(words, 4096));
}

static Err add_tried(Route *r, Bytes endpoint)
{
    if (++r->count > ROUTE_TRIES_MAX)
        return ERR_LIMIT;
    return pack_item(&r->tried, endpoint);
}

static Err take_failed(Route *r, DialAnswer *a, bool *ret_any)
{
    Bytes endpoint;

    *ret_any = false;
    while (pack_next(&a->failed, &endpoint)) {
        *ret_any = true;
        TRY(add_tried(r, endpoint));
    }
    return add_words(r, a->why);
}

/* No standby answered: then whatever answers, from the first on. */
static bool settle_for_any(Route *r, const Resource *resource)
{
    if (resource->server != SERVER_PREFER_STANDBY || r->any)
        return false;
    buf_truncate(&r->tried, 0);
    r->count = 0;
    r->any = true;
    return true;
}

RouteStep route_answered(Route *r, const Resource *resource, const ChannelMessage *m)
{
    DialAnswer a = { 0 };
    bool failed_any;

    r->endpoint[0] = '\0';
    if (m == NULL || unpack_dial_answer(m->body, &a) != OK)
        return ROUTE_NOWHERE;
    if (take_failed(r, &a, &failed_any) != OK && a.ok == 0)
        return ROUTE_NOWHERE;
    if (a.ok == 0 && failed_any)
        return ROUTE_AGAIN; /* a dial tries a few */
    if (a.ok == 0)
        return settle_for_any(r, resource) ? ROUTE_AGAIN : ROUTE_NOWHERE;
    if (m->fd < 0 || a.address >= resource->addresses.count || a.endpoint.len >= sizeof r->endpoint)
        return ROUTE_NOWHERE;
    r->address = a.address;
    memcpy(r->endpoint, a.endpoint.ptr, a.endpoint.len);
    r->endpoint[a.endpoint.len] = '\0';
    return ROUTE_CONNECTED;
}

Err route_reject(Route *r, const Resource *resource, const char *why)
{
    CLEANUP(buf_done) Buf words = { 0 };
    const Address *at = &resource->addresses.at[r->address];

    buf_init(&words, 1024);
    TRY(text_format(&words, "%.*s:%u (%s): %s", SHOW(at->host), at->port, r->endpoint, why));
    TRY(add_words(r, buf_view(&words)));
    return add_tried(r, text_of(r->endpoint));
}

const char *route_unfit(const Route *r, const Resource *resource, const PgBackend *backend)
{
    switch (resource->server) {
    case SERVER_ANY:
        return NULL;
    case SERVER_READ_WRITE:
        return backend->read_only ? "takes no writes" : NULL;
    case SERVER_READ_ONLY:
        return backend->read_only ? NULL : "takes writes";
    case SERVER_PRIMARY:
        return backend->in_recovery ? "is a standby" : NULL;
    case SERVER_STANDBY:
        return backend->in_recovery ? NULL : "is the primary";
    case SERVER_PREFER_STANDBY:
        return backend->in_recovery || r->any ? NULL : "is the primary";
    }
    return "is not known";
}
