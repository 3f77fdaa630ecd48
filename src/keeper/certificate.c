#include "keeper/certificate.h"

#include "base/encode.h"
#include "base/text.h"
#include "keeper/keeper_state.h"
#include "sys/tls_peer.h"

enum { SUBJECT_SHOWN = 256, WRONG_SHOWN = 128, WHY_MAX = 256 };

static const Bytes NOT_SHOWN = LIT_INIT("no client certificate was shown");

static bool names_user(const SigninBegin *ask)
{
    Bytes names[TLS_PEER_NAMES_MAX];
    Names list = { names, 0 };
    PackList walk = ask->certificate_names;

    while (list.count < TLS_PEER_NAMES_MAX && pack_next(&walk, &names[list.count]))
        list.count++;
    return client_certificate_is_of(&list, ask->user);
}

/* For record and session. */
static Err keep(Signin *n, const SigninBegin *ask)
{
    CLEANUP(buf_done) Buf hex = { 0 };

    buf_init(&hex, 128);
    TRY(hex_encode(VIEW(ask->certificate_sha256.bytes), &hex));
    TRY(arena_copy(&n->arena, buf_view(&hex), &n->certificate_sha256));
    return arena_copy(&n->arena, utf8_upto(ask->certificate_subject, SUBJECT_SHOWN),
                      &n->certificate_subject);
}

static Err say(Signin *n, Bytes why, Bytes *ret)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, WHY_MAX);
    TRY(text_format(&text, "the client certificate is not accepted: %.*s", SHOW(why)));
    return arena_copy(&n->arena, buf_view(&text), ret);
}

bool certificate_refuses(const Keeper *k, Signin *n, const SigninBegin *ask, Bytes *ret_why)
{
    const KeeperEdition *e = keeper_edition_of(k, ask->epoch);
    const ServerTls *tls = e != NULL ? &e->config.gateway.tls : NULL;

    n->epoch = ask->epoch;
    *ret_why = LIT("the client certificate cannot be judged");
    if (tls == NULL)
        return true; /* of rules that are long gone */
    if (tls->client_ca.len == 0)
        return false;
    if (ask->certificate == CERTIFICATE_NONE) {
        *ret_why = NOT_SHOWN;
        return tls->client_exempt.count == 0;
    }
    if (keep(n, ask) != OK)
        return true;
    n->certified = ask->certificate == CERTIFICATE_HOLDS && names_user(ask);
    if (n->certified)
        return false;
    const Bytes wrong = ask->certificate == CERTIFICATE_HOLDS
                            ? LIT("it is somebody else's")
                            : utf8_upto(ask->certificate_wrong, WRONG_SHOWN);
    (void)!say(n, wrong, ret_why);
    return true;
}

bool certificate_is_missing(const Keeper *k, const Signin *n, const Identity *who)
{
    const KeeperEdition *e = keeper_edition_of(k, n->epoch);

    if (n->certified)
        return false;
    if (e == NULL)
        return true;
    const ServerTls *tls = &e->config.gateway.tls;
    return tls->client_ca.len > 0 &&
           (who == NULL || !client_certificate_exempt(&tls->client_exempt, who));
}
