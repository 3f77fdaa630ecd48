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

size_t edition_restart_fields(const Config *running, const Config *fresh,
                              const char *ret[RESTART_FIELDS_MAX])
{
    const Gateway *now = &running->gateway, *next = &fresh->gateway;
    const Storage *here = &running->storage, *there = &fresh->storage;
    const struct {
        const char *field;
        bool same;
    } FIELDS[RESTART_FIELDS_MAX] = {
        { "gateway.listen.postgres", same_address(&now->listen.postgres, &next->listen.postgres) },
        { "gateway.listen.metrics", same_address(&now->listen.metrics, &next->listen.metrics) },
        { "gateway.admin_socket", text_eq(now->admin_socket, next->admin_socket) },
        /* Accounts of this host are looked up before the keeper's folders are shut. */
        { "gateway.admin_users", same_names(&now->admin_users, &next->admin_users) },
        { "gateway.workers", now->workers == next->workers },
        { "gateway.sandbox", now->sandbox == next->sandbox },
        { "storage.state", text_eq(here->state, there->state) },
        { "storage.journal", text_eq(here->journal, there->journal) },
        { "storage.root_key", text_eq(here->root_key, there->root_key) },
    };
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(FIELDS); i++)
        if (!FIELDS[i].same)
            ret[count++] = FIELDS[i].field;
    return count;
}

const char *edition_needs_restart(const Config *running, const Config *fresh)
{
    const char *fields[RESTART_FIELDS_MAX];

    return edition_restart_fields(running, fresh, fields) > 0 ? fields[0] : NULL;
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
