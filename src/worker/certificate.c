/* The client's certificate: looked at by the authorities in force, whose it is by its names. */
#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"
#include "policy/client_certificate.h"

#include <string.h>

enum { NAMES_PACKED_MAX = 8 << 10 };

static const ServerTls *rules(const Session *s)
{
    return &s->worker->edition->config.gateway.tls;
}

const char *certificate_refusal(Session *s)
{
    const TlsPeer *p = &s->certificate;
    const Names names = { p->names, p->name_count };
    const TlsContext *authorities = s->worker->edition->tls;

    s->certificate_epoch = s->worker->edition->epoch;
    if (rules(s)->client_ca.len == 0)
        return NULL;
    if (!p->shown)
        return client_certificate_exempt(&rules(s)->client_exempt, &s->who)
                   ? NULL
                   : "no client certificate was shown";
    const char *wrong = tls_peer_wrong(authorities, s->client_tls);
    if (wrong != NULL)
        return wrong;
    return client_certificate_is_of(&names, s->who.name) ? NULL : "it is somebody else's";
}

Err certificate_tell(Session *s, SigninBegin *ask, Buf *names)
{
    const TlsPeer *p = &s->certificate;
    const WorkerEdition *e = s->worker->edition;

    buf_init(names, NAMES_PACKED_MAX);
    s->certificate_epoch = e->epoch;
    ask->epoch = e->epoch;
    if (rules(s)->client_ca.len == 0 || !p->shown)
        return OK;
    const char *wrong = tls_peer_wrong(e->tls, s->client_tls);
    ask->certificate = wrong == NULL ? CERTIFICATE_HOLDS : CERTIFICATE_WRONG;
    ask->certificate_wrong = text_of(wrong);
    ask->certificate_subject = p->subject;
    memcpy(ask->certificate_sha256.bytes, p->sha256, sizeof p->sha256);
    for (size_t i = 0; i < p->name_count; i++)
        TRY(pack_item(names, p->names[i]));
    ask->certificate_names.packed = buf_view(names);
    return OK;
}

Err certificate_sha256(const Session *s, Buf *hex)
{
    return s->certificate.shown ? hex_encode(VIEW(s->certificate.sha256), hex) : OK;
}
