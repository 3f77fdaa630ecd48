#include "keeper/tally.h"

#include "base/text.h"
#include "keeper/keeper_state.h"
#include "model/limits.h"
#include "store/store_request.h"
#include "store/store_segment.h"
#include "store/store_session.h"
#include "sys/log.h"

#include <stdlib.h>

static Tally *tally_of(Tallies *t, Bytes resource)
{
    for (size_t i = 0; i < t->count; i++)
        if (text_eq(t->resources[i].resource, resource))
            return &t->resources[i];
    return NULL;
}

static Err add(Keeper *k, Bytes resource)
{
    Tallies *t = &k->tallies;
    Tally *grown = reallocarray(t->resources, t->count + 1, sizeof *grown);

    if (grown == NULL)
        return ERR_LIMIT;
    t->resources = grown;
    t->resources[t->count] = (Tally){ 0 };
    TRY(arena_copy(&k->arena, resource, &t->resources[t->count].resource));
    t->count++;
    return OK;
}

Err tallies_name(Keeper *k, const Policy *policy)
{
    for (size_t i = 0; i < policy->resources.count; i++) {
        const Bytes name = policy->resources.at[i].name;

        if (tally_of(&k->tallies, name) == NULL)
            TRY(add(k, name));
    }
    return OK;
}

void tallies_done(Tallies *t)
{
    free(t->resources);
    *t = (Tallies){ 0 };
}

Err tally_count(Keeper *k, Bytes body)
{
    Tally m;

    TRY(unpack_tally(body, &m));
    Tally *t = tally_of(&k->tallies, m.resource);
    if (t == NULL)
        return ERR_MALFORMED;
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

static Err put_resources(const Tallies *t, Buf *list)
{
    for (size_t i = 0; i < t->count; i++) {
        CLEANUP(buf_done) Buf tally = { 0 };

        buf_init(&tally, 1024);
        TRY(pack_tally(&tally, &t->resources[i]));
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
                  .not_after_s = k->edition->handshakes.key != NULL
                                     ? k->edition->handshakes.certificate.not_after_s
                                     : 0,
                  .recording = !k->diary.failed,
                  .disk_percent = k->disk.percent,
                  .processes = processes };

    buf_init(&syncs, 256);
    buf_init(&resources, LIMIT_IPC_MESSAGE);
    TRY(store_session_live_count(k->store, &m.sessions));
    TRY(store_segment_count(k->store, &m.segments));
    TRY(store_request_count(k->store, &open, &m.requests_open));
    TRY(histogram_pack(&k->tallies.syncs, &syncs));
    TRY(put_resources(&k->tallies, &resources));
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
