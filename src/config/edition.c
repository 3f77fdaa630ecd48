#include "config/edition.h"

#include "base/text.h"
#include "model/pack.h"
#include "sys/file.h"

Err edition_seal(const Edition *e, int *ret_fd)
{
    CLEANUP(buf_done) Buf bytes = { 0 };

    buf_init(&bytes, EDITION_BYTES_MAX);
    TRY(pack_U64(&bytes, &e->epoch));
    TRY(pack_BYTES(&bytes, &e->yaml));
    TRY(pack_BYTES(&bytes, &e->public_files));
    return memfd_sealed("chaperone.yaml", buf_view(&bytes), ret_fd);
}

Err edition_read(int fd, Buf *bytes, Edition *ret)
{
    Edition e = { 0 };

    buf_init(bytes, EDITION_BYTES_MAX + 4096);
    TRY(file_read_whole(fd, bytes));
    Reader r = reader_of(buf_view(bytes));
    TRY(unpack_U64(&r, &e.epoch));
    TRY(unpack_BYTES(&r, &e.yaml));
    TRY(unpack_BYTES(&r, &e.public_files));
    if (!reader_at_end(&r))
        return ERR_MALFORMED;
    *ret = e;
    return OK;
}

static bool same_address(const Address *a, const Address *b)
{
    return a->port == b->port && text_eq(a->host, b->host);
}

static bool same_addresses(const Addresses *a, const Addresses *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_address(&a->at[i], &b->at[i]))
            return false;
    return true;
}

static bool same_names(const Names *a, const Names *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!text_eq(a->at[i], b->at[i]))
            return false;
    return true;
}

const char *edition_needs_restart(const Config *running, const Config *fresh)
{
    const Gateway *now = &running->gateway, *next = &fresh->gateway;
    const Storage *here = &running->storage, *there = &fresh->storage;

    if (!same_address(&now->listen.postgres, &next->listen.postgres))
        return "gateway.listen.postgres";
    if (!same_address(&now->listen.metrics, &next->listen.metrics))
        return "gateway.listen.metrics";
    if (!text_eq(now->admin_socket, next->admin_socket))
        return "gateway.admin_socket";
    /* Accounts of this host are looked up before the keeper's folders are shut. */
    if (!same_names(&now->admin_users, &next->admin_users))
        return "gateway.admin_users";
    if (now->workers != next->workers)
        return "gateway.workers";
    if (now->sandbox != next->sandbox)
        return "gateway.sandbox";
    if (!text_eq(here->state, there->state))
        return "storage.state";
    if (!text_eq(here->journal, there->journal))
        return "storage.journal";
    return text_eq(here->root_key, there->root_key) ? NULL : "storage.root_key";
}

bool edition_same_target(const Resource *a, const Resource *b)
{
    return text_eq(a->name, b->name) && a->type == b->type &&
           same_addresses(&a->addresses, &b->addresses) && a->server == b->server &&
           a->pooler == b->pooler && text_eq(a->database, b->database) &&
           text_eq(a->credentials.user, b->credentials.user) &&
           text_eq(a->credentials.password, b->credentials.password) &&
           a->credentials.md5 == b->credentials.md5 && a->tls.mode == b->tls.mode;
}
