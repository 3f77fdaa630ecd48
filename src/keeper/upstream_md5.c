/* The MD5 answer for a target whose configuration says `md5: allow`. No stretching, so no thread.
 */
#include "keeper/upstream.h"

#include "base/text.h"
#include "crypto/md5_password.h"
#include "keeper/keeper_state.h"
#include "sys/log.h"

/* As for SCRAM: a worker's own schema connection, or a session that signed in through it. */
static Err may_ask(KeeperPeer *peer, const UpstreamMd5 *ask)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    Keeper *k = peer->keeper;
    StoreSession session;

    if (ask->resource >= k->config.policy.resources.count || ask->salt.len != MD5_SALT_BYTES)
        return ERR_MALFORMED;
    if (k->config.policy.resources.at[ask->resource].credentials.md5 != MD5_ALLOW)
        return ERR_MALFORMED; /* a worker that follows the configuration does not ask */
    if (id_is_zero(&ask->session))
        return OK;
    arena_init(&arena, 16 << 10);
    return keeper_session(k, &ask->session, &peer->writer, &arena, &session);
}

static Err make(const Credentials *c, Bytes salt, uint8_t ret[MD5_ANSWER_BYTES])
{
    CLEANUP(buf_done) Buf password = { 0 };

    buf_init(&password, SCRAM_PASSWORD_MAX + 2);
    TRY(secret_resolve(c->password, &password));
    return md5_password_answer(c->user, buf_view(&password), salt, ret);
}

Err upstream_md5(KeeperPeer *peer, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf body = { 0 };
    UpstreamMd5Answer answer = { 0 };
    uint8_t text[MD5_ANSWER_BYTES];
    UpstreamMd5 ask;

    TRY(unpack_upstream_md5(m->body, &ask));
    Err err = may_ask(peer, &ask);
    if (err == ERR_MALFORMED)
        return err;
    const Resource *r = &peer->keeper->config.policy.resources.at[ask.resource];
    if (err == OK)
        err = make(&r->credentials, ask.salt, text);
    if (err == OK)
        answer.text = VIEW(text);
    else
        log_line(LOG_ERROR, "upstream", "no MD5 answer for resource %.*s", SHOW(r->name));
    buf_init(&body, 256);
    TRY(pack_upstream_md5_answer(&body, &answer));
    return channel_reply(peer->channel, m, buf_view(&body), -1);
}
