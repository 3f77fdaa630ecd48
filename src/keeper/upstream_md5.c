/* The MD5 answer for a target whose configuration says `md5: allow`. No stretching, so no thread.
 */
#include "keeper/upstream.h"

#include "base/text.h"
#include "crypto/md5_password.h"
#include "keeper/keeper_state.h"
#include "sys/log.h"

/* A worker that follows the configuration does not ask where it is not allowed. */
static Err may_ask(const KeeperPeer *peer, const UpstreamMd5 *ask, const Resource **ret)
{
    const UpstreamOf of = { ask->session, ask->epoch, ask->resource };

    TRY(upstream_resource(peer, &of, ret));
    return ask->salt.len == MD5_SALT_BYTES && (*ret)->credentials.md5 == MD5_ALLOW ? OK
                                                                                   : ERR_MALFORMED;
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
    const Resource *r;
    UpstreamMd5 ask;

    TRY(unpack_upstream_md5(m->body, &ask));
    const Err may = may_ask(peer, &ask, &r);
    if (may == ERR_MALFORMED)
        return may;
    if (may == OK && make(&r->credentials, ask.salt, text) == OK)
        answer.text = VIEW(text);
    else
        log_line(LOG_ERROR, "upstream", "no MD5 answer for resource %u", ask.resource);
    buf_init(&body, 256);
    TRY(pack_upstream_md5_answer(&body, &answer));
    return channel_reply(peer->channel, m, buf_view(&body), -1);
}
