#include "keeper/upstream.h"

#include "base/text.h"
#include "keeper/keeper_state.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 4096, WORK_ARENA = 32 << 10 };

/* One proof that is being made. Copies everything: the message dies, the peer may. */
typedef struct Proving {
    uv_work_t work;
    Keeper *keeper;
    Id writer;
    uint64_t question;
    Arena arena;
    UpstreamProve ask;
    ScramServerFirst first;
    Buf password;
    Salted salted; /* filled on the pool */
    Err err;
} Proving;

void salted_cache_done(SaltedCache *c)
{
    explicit_bzero(c, sizeof *c);
}

static bool same_salted(const Salted *a, const Salted *b)
{
    const Bytes ours = { a->salt, a->salt_bytes }, theirs = { b->salt, b->salt_bytes };

    return a->resource == b->resource && a->rounds == b->rounds && text_eq(ours, theirs) &&
           hash_eq(&a->password, &b->password);
}

static Salted *cached(SaltedCache *c, const Salted *key)
{
    for (size_t i = 0; i < SALTED_MAX; i++)
        if (c->at[i].used != 0 && same_salted(&c->at[i], key)) {
            c->at[i].used = ++c->clock;
            return &c->at[i];
        }
    return NULL;
}

static void keep(SaltedCache *c, const Salted *fresh)
{
    Salted *oldest = &c->at[0];

    for (size_t i = 1; i < SALTED_MAX; i++)
        if (c->at[i].used < oldest->used)
            oldest = &c->at[i];
    *oldest = *fresh;
    oldest->used = ++c->clock;
}

/* --- the answer --------------------------------------------------------------------------- */

static PackKey server_signature(const Hash *salted, const ScramExchange *e)
{
    const ScramVerifier v = scram_verifier_of(salted);
    HmacKey key;
    Hmac m;
    PackKey out;

    hmac_key_init(&key, VIEW(v.server_key.bytes));
    hmac_begin(&m, &key);
    hmac_add(&m, e->client_first_bare);
    hmac_add(&m, LIT(","));
    hmac_add(&m, e->server_first);
    hmac_add(&m, LIT(","));
    hmac_add(&m, e->client_final_without_proof);
    const Hash signature = hmac_end(&m);
    hmac_key_done(&key);
    memcpy(out.bytes, signature.bytes, sizeof out.bytes);
    return out;
}

static Err make_answer(Proving *p, Buf *final, UpstreamProveAnswer *ret)
{
    Bytes begun;

    TRY(scram_client_final_begin(p->ask.gs2_header, p->ask.binding, p->first.nonce, final));
    TRY(arena_copy(&p->arena, buf_view(final), &begun));
    const ScramExchange exchange = { p->ask.client_first_bare, p->ask.server_first, begun };
    TRY(scram_client_final_end(&p->salted.salted, &exchange, final));
    ret->client_final = buf_view(final);
    ret->server_signature = server_signature(&p->salted.salted, &exchange);
    ret->ok = 1;
    return OK;
}

static void reply(Channel *channel, uint64_t question, const UpstreamProveAnswer *answer)
{
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, ANSWER_MAX);
    if (pack_upstream_prove_answer(&body, answer) != OK ||
        channel_reply_to(channel, ASK_UPSTREAM_PROVE, question, buf_view(&body), -1) != OK)
        log_line(LOG_ERROR, "upstream", "an answer could not be sent");
}

static void answer(Proving *p)
{
    CLEANUP(buf_done) Buf final = { 0 };
    UpstreamProveAnswer a = { 0 };
    KeeperPeer *peer = keeper_worker(p->keeper, &p->writer);

    buf_init(&final, SCRAM_MESSAGE_MAX);
    if (p->err == OK && make_answer(p, &final, &a) != OK)
        a = (UpstreamProveAnswer){ 0 };
    if (peer != NULL && peer->channel != NULL)
        reply(peer->channel, p->question, &a);
}

static void proving_free(Proving *p)
{
    buf_done(&p->password);
    arena_done(&p->arena);
    explicit_bzero(&p->salted, sizeof p->salted);
    free(p);
}

static void stretch(uv_work_t *work)
{
    Proving *p = work->data;

    p->err =
        scram_salt_password(buf_view(&p->password), (Bytes){ p->salted.salt, p->salted.salt_bytes },
                            p->salted.rounds, &p->salted.salted);
}

static void stretched(uv_work_t *work, int status)
{
    Proving *p = work->data;

    if (status != 0)
        p->err = ERR_LIMIT;
    if (p->err == OK)
        keep(&p->keeper->salted, &p->salted);
    answer(p);
    proving_free(p);
}

/* --- the question ------------------------------------------------------------------------- */

static Err copy_ask(Proving *p, const UpstreamProve *ask)
{
    p->ask = *ask;
    TRY(arena_copy(&p->arena, ask->client_first_bare, &p->ask.client_first_bare));
    TRY(arena_copy(&p->arena, ask->server_first, &p->ask.server_first));
    TRY(arena_copy(&p->arena, ask->binding, &p->ask.binding));
    return arena_copy(&p->arena, ask->gs2_header, &p->ask.gs2_header);
}

/* Bound to a certificate over TLS, or to nothing: never anything else that a worker may think of.
 */
static bool is_binding(const UpstreamProve *ask)
{
    if (text_eq(ask->gs2_header, LIT("p=tls-server-end-point,,")))
        return ask->binding.len >= HASH_BYTES && ask->binding.len <= 2 * HASH_BYTES;
    return ask->binding.len == 0 &&
           (text_eq(ask->gs2_header, LIT("n,,")) || text_eq(ask->gs2_header, LIT("y,,")));
}

Err upstream_resource(const KeeperPeer *peer, const UpstreamOf *of, const Resource **ret)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    Keeper *k = peer->keeper;
    StoreSession session;

    const KeeperEdition *e = keeper_edition_of(k, of->epoch);
    if (e == NULL)
        return ERR_MORE; /* several reloads ago */
    if (of->resource >= e->config.policy.resources.count)
        return ERR_MALFORMED;
    *ret = &e->config.policy.resources.at[of->resource];
    if (id_is_zero(&of->session))
        return OK;
    arena_init(&arena, 16 << 10);
    TRY(keeper_session(k, &of->session, &peer->writer, &arena, &session));
    return text_eq(session.resource, (*ret)->name) ? OK : ERR_MORE;
}

static Err prepare(Proving *p, const Resource *resource)
{
    Bytes nonce;

    TRY(scram_client_first_bare_parse(p->ask.client_first_bare, &nonce));
    TRY(scram_server_first_parse(p->ask.server_first, nonce, &p->first));
    buf_init(&p->password, SCRAM_PASSWORD_MAX + 2);
    if (secret_resolve(resource->credentials.password, &p->password) != OK) {
        log_line(LOG_ERROR, "upstream", "the password of resource %.*s cannot be read",
                 SHOW(resource->name));
        return ERR_IO;
    }
    p->salted = (Salted){ .resource = p->ask.resource,
                          .rounds = p->first.rounds,
                          .salt_bytes = p->first.salt_bytes,
                          .password = hash_of(buf_view(&p->password)) };
    memcpy(p->salted.salt, p->first.salt, p->first.salt_bytes);
    return OK;
}

static void run(Proving *p)
{
    const Salted *known = p->err == OK ? cached(&p->keeper->salted, &p->salted) : NULL;

    if (known != NULL)
        p->salted.salted = known->salted;
    if (known == NULL && p->err == OK) {
        p->work.data = p;
        if (uv_queue_work(p->keeper->loop, &p->work, stretch, stretched) == 0)
            return;
        p->err = ERR_LIMIT;
    }
    answer(p);
    proving_free(p);
}

Err upstream_prove(KeeperPeer *peer, uint64_t question, Bytes body)
{
    const Resource *resource;
    UpstreamProve ask;

    TRY(unpack_upstream_prove(body, &ask));
    const UpstreamOf of = { ask.session, ask.epoch, ask.resource };
    const Err may = is_binding(&ask) ? upstream_resource(peer, &of, &resource) : ERR_MALFORMED;
    if (may == ERR_MALFORMED)
        return may;
    if (may != OK) {
        reply(peer->channel, question, &(UpstreamProveAnswer){ 0 });
        return OK;
    }
    Proving *p = calloc(1, sizeof *p);
    if (p == NULL)
        return ERR_LIMIT;
    p->keeper = peer->keeper;
    p->writer = peer->writer;
    p->question = question;
    arena_init(&p->arena, WORK_ARENA);
    p->err = copy_ask(p, &ask);
    if (p->err == OK)
        p->err = prepare(p, resource);
    run(p);
    return OK;
}
