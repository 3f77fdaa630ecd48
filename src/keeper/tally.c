#include "keeper/tally.h"

#include "keeper/keeper_state.h"
#include "model/limits.h"
#include "store/store_request.h"
#include "store/store_segment.h"
#include "store/store_session.h"
#include "sys/log.h"

#include <stdlib.h>

Err tallies_open(Keeper *k)
{
    void *mem;

    TRY(arena_array(&k->arena, k->config.policy.resources.count, sizeof(Tally), &mem));
    k->tallies.resources = mem;
    for (size_t i = 0; i < k->config.policy.resources.count; i++)
        k->tallies.resources[i] = (Tally){ .resource = (uint32_t)i };
    return OK;
}

Err tally_count(Keeper *k, Bytes body)
{
    Tally m;

    TRY(unpack_tally(body, &m));
    if (m.resource >= k->config.policy.resources.count)
        return ERR_MALFORMED;
    Tally *t = &k->tallies.resources[m.resource];
    t->allowed += m.allowed;
    t->held += m.held;
    t->denied += m.denied;
    t->masked += m.masked;
    t->recorded += m.recorded;
    return OK;
}

Err tally_syncs(Keeper *k, Bytes body)
{
    Histogram times;
    Syncs m;

    TRY(unpack_syncs(body, &m));
    TRY(histogram_unpack(m.times, &times));
    histogram_merge(&k->tallies.syncs, &times);
    return OK;
}

static Err put_resources(const Keeper *k, Buf *list)
{
    for (size_t i = 0; i < k->config.policy.resources.count; i++) {
        CLEANUP(buf_done) Buf tally = { 0 };

        buf_init(&tally, 256);
        TRY(pack_tally(&tally, &k->tallies.resources[i]));
        TRY(pack_item(list, k->config.policy.resources.at[i].name));
        TRY(pack_item(list, buf_view(&tally)));
    }
    return OK;
}

Err tally_metrics(Keeper *k, Bytes processes, Buf *out)
{
    const RequestFilter open = { .states = 1U << REQUEST_OPEN };
    CLEANUP(buf_done) Buf syncs = { 0 };
    CLEANUP(buf_done) Buf resources = { 0 };
    Metrics m = { .signed_records = k->ledger.signed_size,
                  .started_ns = k->started_ns,
                  .not_after_s =
                      k->handshakes.key != NULL ? k->handshakes.certificate.not_after_s : 0,
                  .recording = !k->diary.failed,
                  .disk_percent = k->disk.percent,
                  .processes = processes };

    buf_init(&syncs, 256);
    buf_init(&resources, LIMIT_IPC_MESSAGE);
    TRY(store_session_live_count(k->store, &m.sessions));
    TRY(store_segment_count(k->store, &m.segments));
    TRY(store_request_count(k->store, &open, &m.requests_open));
    TRY(histogram_pack(&k->tallies.syncs, &syncs));
    TRY(put_resources(k, &resources));
    m.syncs = buf_view(&syncs);
    m.resources = (PackList){ buf_view(&resources) };
    return pack_metrics(out, &m);
}

/* --- the question ------------------------------------------------------------------------- */

typedef struct Asked {
    Keeper *keeper;
    Id console;
    uint64_t id;
} Asked;

static void answer(void *ctx, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf body = { 0 };
    Asked *asked = ctx;
    KeeperPeer *p = asked->keeper->peers;

    while (p != NULL && !(p->party == PARTY_CONSOLE && id_eq(&p->writer, &asked->console)))
        p = p->next;
    buf_init(&body, LIMIT_IPC_MESSAGE - 64);
    if (p != NULL && p->channel != NULL &&
        (tally_metrics(asked->keeper, m != NULL ? m->body : LIT("[]"), &body) != OK ||
         channel_reply_to(p->channel, ASK_METRICS, asked->id, buf_view(&body), -1) != OK))
        log_line(LOG_WARN, "metrics", "the numbers could not be given");
    free(asked);
}

Err tally_ask(KeeperPeer *p, uint64_t id)
{
    Asked *asked = malloc(sizeof *asked);

    if (asked == NULL)
        return ERR_LIMIT;
    *asked = (Asked){ .keeper = p->keeper, .console = p->writer, .id = id };
    if (p->keeper->supervisor == NULL) {
        answer(asked, NULL);
        return OK;
    }
    const Err err = channel_ask(p->keeper->supervisor, ASK_PROCESSES, (Bytes){ 0 }, answer, asked);
    if (err != OK)
        free(asked);
    return err;
}
