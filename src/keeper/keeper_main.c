/* The keeper as a process: its loop, its channels, how it starts and ends. */
#include "keeper/keeper.h"

#include "base/encode.h"
#include "base/text.h"
#include "crypto/warm.h"
#include "keeper/questions.h"
#include "keeper/recovery.h"
#include "keeper/room.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TICK_MS = 1000, EXIT_FAILED = 1 };

/* --- peers -------------------------------------------------------------------------------- */

static void peer_unlink(KeeperPeer *p)
{
    for (KeeperPeer **at = &p->keeper->peers; *at != NULL; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            return;
        }
    }
}

/* Only when its process has ended and all that it said was read. */
static void peer_bury(KeeperPeer *p)
{
    Keeper *k = p->keeper;

    if (!p->gone || !p->drained)
        return;
    peer_unlink(p);
    if (p->party == PARTY_WORKER)
        budget_writer_gone(k, &p->writer);
    if (p->party == PARTY_WORKER && recovery_of_writer(k, &p->writer) != OK)
        log_line(LOG_ERROR, "recovery", "worker %u's records are not all sealed; see above",
                 p->slot);
    if (p->channel != NULL)
        channel_free(p->channel);
    free(p);
}

/* Whoever speaks so is not ours any more: it has sockets to targets still, and nothing it does
 * there would be recorded. */
static void have_it_ended(const KeeperPeer *p)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const PeerBroke said = { .pid = p->pid };

    buf_init(&body, 16);
    if (p->keeper->supervisor == NULL || pack_peer_broke(&body, &said) != OK ||
        channel_tell(p->keeper->supervisor, ASK_PEER_BROKE, buf_view(&body), -1) != OK)
        log_line(LOG_ERROR, "channel", "process %u cannot be ended", p->pid);
}

static void peer_message(void *ctx, Channel *channel, const ChannelMessage *m)
{
    KeeperPeer *p = ctx;
    File f = { m->fd };

    keeper_see_time(p->keeper, clock_now());
    const Err err = p->channel == channel ? questions_take(p, m) : ERR_REFUSED;
    file_done(&f);
    if (err == OK || p->channel == NULL)
        return;
    if (err == ERR_IO && channel_is_left(channel)) {
        log_line(LOG_WARN, "channel", "process %u ended before its message %u was answered", p->pid,
                 m->kind);
        return;
    }
    log_line(LOG_ERROR, "channel", "process %u broke the rules with message %u (%d); cut off",
             p->pid, m->kind, (int)err);
    p->channel = NULL;
    p->drained = true;
    channel_free(channel);
    if (err == ERR_MALFORMED || err == ERR_REFUSED)
        have_it_ended(p);
}

static void peer_ended(void *ctx, Channel *channel)
{
    KeeperPeer *p = ctx;

    (void)channel;
    keeper_see_time(p->keeper, clock_now());
    p->drained = true;
    peer_bury(p);
}

static Err peer_add(Keeper *k, const Peer *said, int fd)
{
    KeeperPeer *p = calloc(1, sizeof *p);
    const ChannelHandlers handlers = { p, peer_message, peer_ended };

    if (p == NULL)
        return ERR_LIMIT;
    *p = (KeeperPeer){ .keeper = k,
                       .party = (Party)said->party,
                       .slot = said->slot,
                       .pid = said->pid,
                       .writer = said->writer };
    const Err err = channel_new(k->loop, fd, &handlers, &p->channel);
    if (err != OK) {
        free(p);
        return err;
    }
    p->next = k->peers;
    k->peers = p;
    if (p->party == PARTY_WORKER)
        (void)!watermark_tell(p); /* it may have ended already, which we are about to hear */
    return OK;
}

static void peer_gone(Keeper *k, const Peer *said)
{
    for (KeeperPeer *p = k->peers; p != NULL; p = p->next) {
        if (p->pid != said->pid || p->party != (Party)said->party)
            continue;
        p->gone = true;
        peer_bury(p);
        return;
    }
}

/* --- the supervisor ----------------------------------------------------------------------- */

static Err tell_ready(Keeper *k)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Ready ready = { .landlock_abi = k->sandbox.landlock_abi, .seccomp = k->sandbox.seccomp };

    buf_init(&body, 16);
    TRY(pack_ready(&body, &ready));
    return channel_tell(k->supervisor, ASK_READY, buf_view(&body), -1);
}

static Err start(Keeper *k)
{
    TRY(recovery_of_the_dead(k));
    TRY(ledger_sign(&k->ledger, k->now, true));
    return tell_ready(k);
}

static bool of_an_edition(uint16_t kind)
{
    return kind == ASK_PREPARE || kind == ASK_RECORD_CHANGE || kind == ASK_COMMIT ||
           kind == ASK_ABANDON;
}

static Err answer_recorded(Keeper *k, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf body = { 0 };
    bool recorded;

    buf_init(&body, 16);
    TRY(keeper_edition_record_change(k, m->body, &recorded));
    TRY(pack_record_change_answer(&body, &(RecordChangeAnswer){ .ok = recorded }));
    return channel_reply(k->supervisor, m, buf_view(&body), -1);
}

static Err edition_said(Keeper *k, const ChannelMessage *m)
{
    if (m->kind == ASK_PREPARE)
        return keeper_edition_prepare(k, m->body, m->fd);
    if (m->kind == ASK_ABANDON)
        return keeper_edition_abandon(k, m->body);
    if (m->kind == ASK_RECORD_CHANGE)
        return answer_recorded(k, m);
    TRY(keeper_edition_commit(k, m->body));
    return channel_reply(k->supervisor, m, (Bytes){ 0 }, -1);
}

static Err supervisor_said(Keeper *k, const ChannelMessage *m, bool *ret_fd_taken)
{
    Peer peer;

    *ret_fd_taken = false;
    if (!ask_allowed(m->kind, PARTY_SUPERVISOR, PARTY_KEEPER, m->is_question))
        return ERR_REFUSED;
    if (m->kind == ASK_START)
        return start(k);
    if (of_an_edition(m->kind))
        return edition_said(k, m);
    TRY(unpack_peer(m->body, &peer));
    if (m->kind == ASK_PEER_GONE) {
        peer_gone(k, &peer);
        return OK;
    }
    if (m->fd < 0)
        return ERR_MALFORMED;
    *ret_fd_taken = true;
    return peer_add(k, &peer, m->fd);
}

static void on_supervisor(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Keeper *k = ctx;
    File f = { m->fd };
    bool taken;

    (void)channel;
    keeper_see_time(k, clock_now());
    const Err err = supervisor_said(k, m, &taken);
    if (!taken)
        file_done(&f);
    if (err == OK)
        return;
    log_line(LOG_ERROR, "start", "message %u of the supervisor failed (%d): %s", m->kind, (int)err,
             store_why(k->store));
    uv_stop(k->loop);
}

static void on_supervisor_gone(void *ctx, Channel *channel)
{
    const Keeper *k = ctx;

    (void)channel;
    uv_stop(k->loop);
}

/* --- running ------------------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
    keeper_tick(timer->data);
}

static void on_term(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static Err open_from_descriptor(Keeper *k, const char *writer_hex)
{
    CLEANUP(buf_done) Buf bytes = { 0 };
    CLEANUP(buf_done) Buf writer = { 0 };
    Edition edition;
    Id id;

    buf_init(&writer, sizeof id.bytes);
    TRY(hex_decode(text_of(writer_hex), &writer));
    if (buf_len(&writer) != sizeof id.bytes)
        return ERR_MALFORMED;
    memcpy(id.bytes, buf_view(&writer).ptr, sizeof id.bytes);
    TRY(edition_read(CHILD_CONFIG_FD, &bytes, &edition));
    TRY(crypto_warm());
    TRY(keeper_open(k, &edition, &id));
    return room_shut_files(k);
}

static int run(Keeper *k)
{
    const ChannelHandlers handlers = { k, on_supervisor, on_supervisor_gone };
    uv_timer_t tick;
    uv_signal_t term;

    if (channel_new(k->loop, CHILD_SUPERVISOR_FD, &handlers, &k->supervisor) != OK)
        return EXIT_FAILED;
    (void)uv_timer_init(k->loop, &tick);
    tick.data = k;
    (void)uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
    (void)uv_signal_init(k->loop, &term);
    (void)uv_signal_start(&term, on_term, SIGTERM);
    if (room_shut_calls(k) != OK)
        return EXIT_FAILED;
    (void)uv_run(k->loop, UV_RUN_DEFAULT);
    keeper_close(k);
    return 0;
}

int keeper_main(const char *writer_hex)
{
    Keeper *k = calloc(1, sizeof *k);
    uv_loop_t loop;

    child_begin();
    (void)umask(077);
    log_begin("keeper");
    if (k == NULL || uv_loop_init(&loop) != 0)
        return EXIT_FAILED;
    k->loop = &loop;
    const Err err = open_from_descriptor(k, writer_hex);
    if (err != OK) {
        log_line(LOG_ERROR, "start", "the keeper cannot open its state (%d): %s", (int)err,
                 store_why(k->store));
        return EXIT_FAILED;
    }
    return run(k);
}
