/* How the gateway is doing, and who one is to it. */
#include "keeper/admin_call.h"

#include "base/encode.h"
#include "base/text.h"
#include "sys/log.h"

#include <stdlib.h>

enum { WRITERS_SHOWN = 5 };
static const uint64_t NS_IN_S = UINT64_C(1000000000);

/* --- status ------------------------------------------------------------------------------- */

static Err put_policy(Json *j, const KeeperEdition *e)
{
    CLEANUP(buf_done) Buf hash = { 0 };

    buf_init(&hash, 128);
    TRY(hex_encode(VIEW(e->policy_hash.bytes), &hash));
    json_write_object(j, "policy");
    json_write_u64(j, "epoch", e->epoch);
    json_write_string(j, "hash", buf_view(&hash));
    json_write_u64(j, "since_ns", e->since_ns);
    json_write_object_end(j);
    return OK;
}

static void put_tls(Json *j, const Keeper *k)
{
    const Handshakes *h = &k->edition->handshakes;

    if (h->key == NULL)
        return;
    json_write_object(j, "tls");
    json_write_u64(j, "not_after_ns", h->certificate.not_after_s * NS_IN_S);
    json_write_i64(j, "days_left",
                   handshakes_days_until(h->certificate.not_after_s, k->now.unix_ns));
    json_write_bool(j, "channel_binding", h->certificate.binding_len > 0);
    if (h->clients_end_s != 0)
        json_write_u64(j, "client_ca_not_after_ns", h->clients_end_s * NS_IN_S);
    if (h->revoked_next_s != 0)
        json_write_u64(j, "client_crl_next_update_ns", h->revoked_next_s * NS_IN_S);
    json_write_object_end(j);
}

static Err put_writer(void *ctx, Bytes user, uint64_t bytes)
{
    Json *j = ctx;

    json_write_object(j, NULL);
    json_write_string(j, "name", user);
    json_write_u64(j, "bytes", bytes);
    json_write_object_end(j);
    return OK;
}

/* How full it is, and who recorded the most today. */
static Err put_disk(Keeper *k, Json *j)
{
    json_write_object(j, "disk");
    json_write_u64(j, "percent", k->disk.percent);
    json_write_string(j, "level", text_of(watermark_name(k->disk.level)));
    json_write_object_end(j);
    json_write_array(j, "writers");
    TRY(store_writer_each(k->store, budget_day(k), WRITERS_SHOWN, put_writer, j));
    json_write_array_end(j);
    return OK;
}

static Err put_status(AdminRun *run, Bytes processes)
{
    Keeper *k = run->keeper;
    const RequestFilter open = { .states = 1U << REQUEST_OPEN };
    uint64_t sessions, segments, requests;

    if (budgets_write(k) != OK)
        log_line(LOG_WARN, "budget", "not kept: %s",
                 store_why(k->store)); /* and told all the same */
    TRY(store_session_live_count(k->store, &sessions));
    TRY(store_segment_count(k->store, &segments));
    TRY(store_request_count(k->store, &open, &requests));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_u64(&j, "schema_version", 1);
    json_write_string(&j, "version", LIT(CHAPERONE_VERSION));
    json_write_bool(&j, "recording", !k->diary.failed);
    json_write_u64(&j, "started_ns", k->started_ns);
    json_write_u64(&j, "uptime_ms", (k->now.unix_ns - k->started_ns) / 1000000);
    json_write_u64(&j, "sessions_live", sessions);
    json_write_u64(&j, "requests_open", requests);
    json_write_u64(&j, "segments", segments);
    json_write_object(&j, "checkpoint");
    json_write_string(&j, "origin", buf_view(&k->ledger.origin));
    json_write_u64(&j, "size", k->ledger.signed_size);
    json_write_object_end(&j);
    TRY(put_policy(&j, k->edition));
    put_tls(&j, k);
    TRY(put_disk(k, &j));
    json_write_string(&j, "sandbox_wanted",
                      k->edition->config.gateway.sandbox == SANDBOX_REQUIRED ? LIT("required")
                                                                             : LIT("auto"));
    json_write_raw(&j, "processes", processes);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static void finish_status(void *ctx, const ChannelMessage *m)
{
    AdminRun *run = ctx;

    if (put_status(run, m != NULL ? m->body : LIT("[]")) != OK)
        (void)admin_fail(run, ADMIN_FAILED, "the state cannot be read");
    admin_finish(run);
    free(run);
}

Err admin_status(AdminRun *run)
{
    Channel *supervisor = run->keeper->supervisor;

    if (supervisor == NULL)
        return put_status(run, LIT("[]"));
    AdminRun *kept = malloc(sizeof *kept);
    if (kept == NULL)
        return ERR_LIMIT;
    *kept = *run;
    const Err err = channel_ask(supervisor, ASK_PROCESSES, (Bytes){ 0 }, finish_status, kept);
    if (err != OK) {
        free(kept);
        return err;
    }
    run->later = true; /* arena and result went with the copy */
    return OK;
}

/* --- whoami ------------------------------------------------------------------------------- */

Err admin_whoami(AdminRun *run)
{
    const Identity *who = &run->identity.who;
    Json j = json_write_begin(&run->result);

    json_write_object(&j, NULL);
    json_write_string(&j, "name", run->caller);
    json_write_string(&j, "as",
                      run->who == ADMIN_ADMINISTRATOR ? LIT("administrator") : LIT("identity"));
    json_write_string(&j, "kind", text_of(identity_kind_name(who->kind)));
    json_write_string(&j, "owner", who->owner);
    json_write_array(&j, "groups");
    for (size_t i = 0; i < who->group_count; i++)
        json_write_string(&j, NULL, who->groups[i]);
    json_write_array_end(&j);
    json_write_bool(&j, "by_token", who->by_token);
    json_write_u64(&j, "expires_ns", run->identity.credential.expires_ns);
    json_write_object_end(&j);
    return json_write_end(&j);
}

/* --- audit.checkpoint --------------------------------------------------------------------- */

/* Everything that was recorded by the keeper so far is under a signed head when this returns. */
Err admin_checkpoint(AdminRun *run)
{
    Keeper *k = run->keeper;

    TRY(diary_turn(&k->diary, k->now, true));
    TRY(ledger_sign(&k->ledger, k->now, true));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_string(&j, "origin", buf_view(&k->ledger.origin));
    json_write_u64(&j, "size", k->ledger.signed_size);
    json_write_object_end(&j);
    return json_write_end(&j);
}
