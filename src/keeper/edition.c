#include "keeper/edition.h"

#include "base/encode.h"
#include "base/json_write.h"
#include "base/text.h"
#include "keeper/keeper_state.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

enum { POLICY_TEXT_MAX = 4 << 20, SECRET_MAX = 64 << 10, WHY_MAX = 2048 };

void keeper_edition_free(KeeperEdition *e)
{
    if (e == NULL)
        return;
    handshakes_done(&e->handshakes);
    buf_done(&e->policy_text);
    buf_done(&e->yaml);
    arena_done(&e->arena);
    free(e);
}

static Err load(const Edition *from, KeeperEdition *e, Buf *why)
{
    Problems problems = { 0 };

    arena_init(&e->arena, CONFIG_ARENA_BYTES);
    buf_init(&e->policy_text, POLICY_TEXT_MAX);
    if (config_load(from->yaml, &e->arena, &e->config, &problems) != OK ||
        config_show(&e->config, &e->policy_text) != OK) {
        TRY(text_format(why, "the keeper cannot load the configuration"));
        return ERR_MALFORMED;
    }
    e->policy_hash = hash_of(buf_view(&e->policy_text));
    buf_init(&e->yaml, CONFIG_BYTES_MAX);
    return buf_append(&e->yaml, from->yaml);
}

Err keeper_edition_make(const Edition *from, uint64_t now_unix_ns, KeeperEdition **ret, Buf *why)
{
    KeeperEdition *e = calloc(1, sizeof *e);

    if (e == NULL)
        return ERR_LIMIT;
    e->epoch = from->epoch;
    e->since_ns = now_unix_ns;
    Err err = load(from, e, why);
    if (err == OK)
        err = handshakes_open(&e->config, from->public_files, now_unix_ns, &e->handshakes, why);
    if (err != OK) {
        keeper_edition_free(e);
        return err;
    }
    e->clients_hash = hash_of(public_file(from->public_files, e->config.gateway.tls.client_ca));
    e->revoked_hash = hash_of(public_file(from->public_files, e->config.gateway.tls.client_crl));
    *ret = e;
    return OK;
}

static Err check_secret(Bytes reference, Bytes resource, Buf *why)
{
    CLEANUP(buf_done) Buf secret = { 0 };

    buf_init(&secret, SECRET_MAX);
    if (secret_resolve(reference, &secret) == OK && buf_len(&secret) > 0)
        return OK;
    TRY(text_format(why,
                    "resource %.*s: its password (%.*s) cannot be read; a file has to lie in a "
                    "folder that some secret was in at the gateway's start, a variable has to be "
                    "there since then; else it needs a restart",
                    SHOW(resource), SHOW(reference)));
    return ERR_REFUSED;
}

Err keeper_edition_check_secrets(const KeeperEdition *e, Buf *why)
{
    const Policy *p = &e->config.policy;

    for (size_t i = 0; i < p->resources.count; i++)
        TRY(check_secret(p->resources.at[i].credentials.password, p->resources.at[i].name, why));
    return OK;
}

/* --- which one ------------------------------------------------------------------------------ */

KeeperEdition *keeper_edition_of(const Keeper *k, uint64_t epoch)
{
    if (k->prepared != NULL && k->prepared->epoch == epoch)
        return k->prepared;
    for (KeeperEdition *e = k->edition; e != NULL; e = e->older)
        if (e->epoch == epoch)
            return e;
    return NULL;
}

static void forget_oldest(Keeper *k)
{
    static const uint64_t KEPT_NS = UINT64_C(1000000000) * EDITION_KEPT_S;
    const KeeperEdition *newer = k->edition;
    KeeperEdition **at = &k->edition->older;
    size_t kept = 1;

    while (*at != NULL) {
        KeeperEdition *e = *at;
        const bool recent = k->now.mono_ns - newer->since_mono_ns < KEPT_NS;

        if ((recent && ++kept <= EDITIONS_MAX) || e->signing > 0) {
            newer = e;
            at = &e->older;
            continue;
        }
        *at = e->older;
        keeper_edition_free(e);
    }
}

void keeper_edition_enter(Keeper *k, KeeperEdition *e)
{
    e->since_ns = k->now.unix_ns;
    e->since_mono_ns = k->now.mono_ns;
    e->older = k->edition;
    k->edition = e;
    k->diary.policy_hash = e->policy_hash;
    forget_oldest(k);
}

void keeper_editions_done(Keeper *k)
{
    while (k->edition != NULL) {
        KeeperEdition *e = k->edition;

        k->edition = e->older;
        keeper_edition_free(e);
    }
    keeper_edition_free(k->prepared);
    k->prepared = NULL;
}

/* --- the record ----------------------------------------------------------------------------- */

/* The policy's text names files: which bytes of them is said here. */
static Err put_authorities(Json *j, const KeeperEdition *e)
{
    CLEANUP(buf_done) Buf ca = { 0 }, crl = { 0 };

    buf_init(&ca, 2 * HASH_BYTES);
    buf_init(&crl, 2 * HASH_BYTES);
    TRY(hex_encode(VIEW(e->clients_hash.bytes), &ca));
    TRY(hex_encode(VIEW(e->revoked_hash.bytes), &crl));
    json_write_string(j, "client_ca_sha256", buf_view(&ca));
    if (e->config.gateway.tls.client_crl.len > 0)
        json_write_string(j, "client_crl_sha256", buf_view(&crl));
    return OK;
}

static Err write_change(Keeper *k, const KeeperEdition *e, Bytes asked_by, bool with_text)
{
    CLEANUP(buf_done) Buf payload = { 0 };

    buf_init(&payload, POLICY_TEXT_MAX + 4096);
    Json j = json_write_begin(&payload);
    json_write_object(&j, NULL);
    json_write_string(&j, "author", LIT("unknown: whoever may write the file on this host"));
    json_write_string(&j, "asked_by", asked_by.len > 0 ? asked_by : LIT("a start"));
    json_write_u64(&j, "epoch", e->epoch);
    if (e->handshakes.key != NULL)
        json_write_u64(&j, "certificate_not_after_ns",
                       e->handshakes.certificate.not_after_s * 1000000000);
    if (e->handshakes.clients_end_s != 0)
        TRY(put_authorities(&j, e));
    if (with_text)
        json_write_raw(&j, "policy", buf_view(&e->policy_text));
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    const DiaryEntry entry = { .type = LEAF_CONFIG_CHANGE,
                               .payload = buf_view(&payload),
                               .wait = true };
    const Hash before = k->diary.policy_hash;
    k->diary.policy_hash = e->policy_hash; /* the leaf names what begins with it */
    const Err err = diary_write(&k->diary, &entry, k->now, NULL);
    k->diary.policy_hash = before;
    return err;
}

Err keeper_edition_record(Keeper *k, const KeeperEdition *e, Bytes asked_by)
{
    CLEANUP(buf_done) Buf last = { 0 };

    buf_init(&last, 64);
    const Err err = store_meta_get(k->store, "policy_hash", &last);
    if (err != OK && err != ERR_MORE)
        return err;
    const bool same = err == OK && text_eq(buf_view(&last), VIEW(e->policy_hash.bytes));
    if (same && asked_by.len == 0)
        return OK;
    TRY(write_change(k, e, asked_by, !same));
    return same ? OK : store_meta_put(k->store, "policy_hash", VIEW(e->policy_hash.bytes));
}

/* --- a reload ------------------------------------------------------------------------------- */

static Err prepare(Keeper *k, uint64_t epoch, int fd, Buf *why)
{
    CLEANUP(buf_done) Buf bytes = { 0 };
    KeeperEdition *fresh;
    Edition e;

    if (fd < 0 || edition_read(fd, &bytes, &e) != OK || e.epoch != epoch)
        return text_format(why, "the keeper was handed a broken edition");
    const Err err = keeper_edition_make(&e, k->now.unix_ns, &fresh, why);
    if (err != OK)
        return buf_len(why) > 0 ? OK : text_format(why, "the keeper has no memory for it");
    if (keeper_edition_check_secrets(fresh, why) != OK) {
        keeper_edition_free(fresh);
        return OK;
    }
    k->prepared = fresh;
    return OK;
}

Err keeper_edition_prepare(Keeper *k, Bytes body, int fd)
{
    CLEANUP(buf_done) Buf why = { 0 }, out = { 0 };
    EditionAsk ask;

    TRY(unpack_edition_ask(body, &ask));
    keeper_edition_free(k->prepared);
    k->prepared = NULL;
    buf_init(&why, WHY_MAX);
    buf_init(&out, 2 * WHY_MAX);
    TRY(prepare(k, ask.epoch, fd, &why));
    Prepared said = { .epoch = ask.epoch, .ok = k->prepared != NULL, .why = buf_view(&why) };
    if (k->prepared != NULL)
        memcpy(said.policy_hash.bytes, k->prepared->policy_hash.bytes, HASH_BYTES);
    TRY(pack_prepared(&out, &said));
    return k->supervisor != NULL ? channel_tell(k->supervisor, ASK_PREPARED, buf_view(&out), -1)
                                 : OK;
}

static bool is_prepared(const Keeper *k, uint64_t epoch)
{
    return k->prepared != NULL && k->prepared->epoch == epoch;
}

Err keeper_edition_record_change(Keeper *k, Bytes body, bool *ret_recorded)
{
    RecordChange ask;

    *ret_recorded = false;
    TRY(unpack_record_change(body, &ask));
    if (!is_prepared(k, ask.epoch))
        return OK;
    TRY(tallies_name(k, &k->prepared->config.policy));
    *ret_recorded = keeper_edition_record(k, k->prepared, utf8_upto(ask.asked_by, 128)) == OK;
    if (*ret_recorded)
        return OK;
    log_line(LOG_ERROR, "reload", "the change cannot be recorded: %s", store_why(k->store));
    /* Half of it may be there. */
    (void)!write_change(k, k->edition, LIT("a reload that came to nothing"), true);
    return OK;
}

Err keeper_edition_commit(Keeper *k, Bytes body)
{
    EditionAsk ask;

    TRY(unpack_edition_ask(body, &ask));
    if (!is_prepared(k, ask.epoch))
        return ERR_MALFORMED;
    keeper_edition_enter(k, k->prepared);
    k->prepared = NULL;
    watermark_look(k);
    return OK;
}

Err keeper_edition_abandon(Keeper *k, Bytes body)
{
    EditionAsk ask;

    TRY(unpack_edition_ask(body, &ask));
    if (!is_prepared(k, ask.epoch))
        return OK;
    keeper_edition_free(k->prepared);
    k->prepared = NULL;
    return OK;
}
