#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"
#include "sys/log.h"
#include "sys/tls_peer.h"
#include "worker/handover.h"
#include "worker/target.h"

#include <stdlib.h>
#include <string.h>

enum { POLICY_TEXT_MAX = 16 << 20, WHY_MAX = 1024 };

/* --- freeing -------------------------------------------------------------------------------- */

static size_t resource_count(const WorkerEdition *e)
{
    return e->config.policy.resources.count;
}

static void worker_edition_free(WorkerEdition *e)
{
    while (e->retired != NULL) {
        Target *t = e->retired;

        e->retired = t->next_retired;
        target_free(t);
    }
    for (size_t i = 0; e->target_tls != NULL && i < resource_count(e); i++)
        tls_context_free(e->target_tls[i]);
    tls_context_free(e->tls);
    buf_done(&e->bytes);
    arena_done(&e->arena);
    free(e);
}

/* It came to nothing: targets that were made for it go too. */
static void prepared_free(Worker *w)
{
    WorkerEdition *e = w->prepared;

    if (e == NULL)
        return;
    w->prepared = NULL;
    for (size_t i = 0; e->targets != NULL && i < resource_count(e); i++)
        if (e->targets[i] != NULL && e->targets[i]->resource == NULL)
            target_free(e->targets[i]);
    worker_edition_free(e);
}

void editions_tick(Worker *w)
{
    uint64_t oldest = w->edition->epoch;

    if (w->edition->older == NULL)
        return;
    for (const Session *s = w->sessions; s != NULL; s = s->next)
        oldest = s->born_epoch < oldest ? s->born_epoch : oldest;
    for (WorkerEdition *e = w->edition; e->older != NULL;) {
        WorkerEdition *older = e->older;

        if (older->epoch >= oldest) {
            e = older;
            continue;
        }
        e->older = older->older;
        worker_edition_free(older);
    }
}

/* --- making --------------------------------------------------------------------------------- */

static Err load(WorkerEdition *e, int fd)
{
    CLEANUP(buf_done) Buf shown = { 0 }, hex = { 0 };
    Problems problems = { 0 };
    Edition from;

    buf_init(&shown, POLICY_TEXT_MAX);
    buf_init(&hex, 128);
    arena_init(&e->arena, CONFIG_ARENA_BYTES);
    TRY(edition_read(fd, &e->bytes, &from));
    e->epoch = from.epoch;
    e->public_files = from.public_files;
    TRY(config_load(from.yaml, &e->arena, &e->config, &problems));
    TRY(config_show(&e->config, &shown));
    e->policy_hash = hash_of(buf_view(&shown));
    TRY(hex_encode(VIEW(e->policy_hash.bytes), &hex));
    return arena_copy(&e->arena, buf_view(&hex), &e->policy_hash_hex);
}

static Err arrays(WorkerEdition *e)
{
    const size_t count = resource_count(e) + 1;
    void *mem;

    TRY(arena_array(&e->arena, count, sizeof *e->targets, &mem));
    e->targets = mem;
    TRY(arena_array(&e->arena, count, sizeof *e->target_tls, &mem));
    e->target_tls = mem;
    TRY(arena_array(&e->arena, count, sizeof *e->hosts, &mem));
    e->hosts = mem;
    return OK;
}

static Err name_hosts(WorkerEdition *e, const Resource *r, const char ***ret)
{
    void *mem;

    TRY(arena_array(&e->arena, r->addresses.count, sizeof **ret, &mem));
    *ret = mem;
    for (size_t i = 0; i < r->addresses.count; i++)
        TRY(arena_string(&e->arena, r->addresses.at[i].host, &(*ret)[i]));
    return OK;
}

static Err ask_clients(WorkerEdition *e, Buf *why)
{
    const ServerTls *tls = &e->config.gateway.tls;
    const char *wrong;

    if (tls->client_ca.len == 0)
        return OK;
    const Err err = tls_server_ask_clients(e->tls, public_file(e->public_files, tls->client_ca),
                                           public_file(e->public_files, tls->client_crl), &wrong);
    if (err != OK)
        TRY(text_format(why, "gateway.tls.client_ca, client_crl: %s", wrong));
    return err;
}

/* Certificates were read by the supervisor: a worker has no files. */
static Err make_contexts(WorkerEdition *e, Buf *why)
{
    const Bytes cert = e->config.gateway.tls.cert;
    const char *wrong = "";
    Err err = OK;

    if (cert.len > 0)
        err = tls_server_new(public_file(e->public_files, cert), &e->tls, &wrong);
    if (err != OK)
        TRY(text_format(why, "%.*s: %s", SHOW(cert), wrong));
    if (err == OK)
        err = ask_clients(e, why);
    for (size_t i = 0; err == OK && i < resource_count(e); i++) {
        const Resource *r = &e->config.policy.resources.at[i];

        TRY(name_hosts(e, r, &e->hosts[i]));
        if (r->tls.mode == TLS_DISABLE)
            continue;
        err = tls_client_new(public_file(e->public_files, r->tls.ca), &e->target_tls[i], &wrong);
        if (err != OK)
            TRY(text_format(why, "%.*s: %s", SHOW(r->tls.ca), wrong));
    }
    return err;
}

static Target *running(const Worker *w, const Resource *r)
{
    for (size_t i = 0; w->edition != NULL && i < resource_count(w->edition); i++)
        if (edition_same_target(&w->edition->config.policy.resources.at[i], r))
            return w->edition->targets[i];
    return NULL;
}

static Err find_targets(Worker *w, WorkerEdition *e)
{
    for (size_t i = 0; i < resource_count(e); i++) {
        e->targets[i] = running(w, &e->config.policy.resources.at[i]);
        if (e->targets[i] == NULL)
            TRY(target_new(w, &e->targets[i]));
    }
    return OK;
}

static Err make(Worker *w, int fd, Buf *why)
{
    WorkerEdition *e = calloc(1, sizeof *e);

    if (e == NULL)
        return ERR_LIMIT;
    w->prepared = e;
    TRY(load(e, fd));
    TRY(arrays(e));
    TRY(make_contexts(e, why));
    return find_targets(w, e);
}

/* --- entering ------------------------------------------------------------------------------- */

static Bytes authority_of(const WorkerEdition *e, const Resource *r)
{
    return public_file(e->public_files, r->tls.ca);
}

static void enter_target(const WorkerEdition *before, const WorkerEdition *e, size_t i,
                         bool same_rules)
{
    Target *t = e->targets[i];
    const Resource *r = &e->config.policy.resources.at[i];
    const bool other_authority =
        t->resource != NULL && !text_eq(authority_of(before, t->resource), authority_of(e, r));

    t->resource = r;
    t->index = (uint32_t)i;
    t->tls_context = e->target_tls[i];
    t->hosts = e->hosts[i];
    target_new_rules(t, &e->config.policy, same_rules);
    if (other_authority)
        target_hang_up(t, NULL); /* whom it believed is not believed any more; it dials again */
}

static bool goes_on(const WorkerEdition *e, const Target *t)
{
    for (size_t i = 0; i < resource_count(e); i++)
        if (e->targets[i] == t)
            return true;
    return false;
}

static void retire_targets(WorkerEdition *before, const WorkerEdition *e)
{
    for (size_t i = 0; i < resource_count(before); i++) {
        Target *t = before->targets[i];

        if (goes_on(e, t))
            continue;
        target_retire(t);
        t->next_retired = before->retired;
        before->retired = t;
    }
}

static void enter(Worker *w)
{
    WorkerEdition *before = w->edition, *e = w->prepared;
    const bool same_rules = before != NULL && hash_eq(&before->policy_hash, &e->policy_hash);

    w->prepared = NULL;
    w->edition = e;
    e->older = before;
    for (size_t i = 0; i < resource_count(e); i++)
        enter_target(before, e, i, same_rules);
    if (before == NULL)
        return;
    retire_targets(before, e);
    hand_over_sessions(w, same_rules);
}

Err worker_edition_begin(Worker *w, int fd)
{
    CLEANUP(buf_done) Buf why = { 0 };

    buf_init(&why, WHY_MAX);
    const Err err = make(w, fd, &why);
    if (err != OK) {
        log_line(LOG_ERROR, "start", "the configuration cannot be used: %.*s",
                 SHOW(buf_view(&why)));
        return err;
    }
    enter(w);
    return OK;
}

/* --- the supervisor's word ------------------------------------------------------------------- */

Err worker_edition_prepare(Worker *w, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf why = { 0 }, body = { 0 };
    EditionAsk ask;

    TRY(unpack_edition_ask(m->body, &ask));
    prepared_free(w);
    buf_init(&why, WHY_MAX);
    buf_init(&body, WHY_MAX + 256);
    const Err err = make(w, m->fd, &why);
    Prepared said = { .epoch = ask.epoch, .ok = err == OK && w->prepared->epoch == ask.epoch };
    if (said.ok != 0)
        memcpy(said.policy_hash.bytes, w->prepared->policy_hash.bytes, HASH_BYTES);
    else if (buf_len(&why) == 0)
        TRY(text_format(&why, "worker %u cannot load the configuration", w->slot));
    if (said.ok == 0)
        prepared_free(w);
    said.why = buf_view(&why);
    TRY(pack_prepared(&body, &said));
    return channel_tell(w->supervisor, ASK_PREPARED, buf_view(&body), -1);
}

static bool is_prepared(const Worker *w, const EditionAsk *ask)
{
    return w->prepared != NULL && w->prepared->epoch == ask->epoch;
}

Err worker_edition_commit(Worker *w, const ChannelMessage *m)
{
    EditionAsk ask;

    TRY(unpack_edition_ask(m->body, &ask));
    if (!is_prepared(w, &ask))
        return ERR_MALFORMED;
    enter(w);
    return channel_reply(w->supervisor, m, (Bytes){ 0 }, -1);
}

Err worker_edition_abandon(Worker *w, const ChannelMessage *m)
{
    EditionAsk ask;

    TRY(unpack_edition_ask(m->body, &ask));
    if (is_prepared(w, &ask))
        prepared_free(w);
    return OK;
}
