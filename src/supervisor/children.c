#include "supervisor/children.h"

#include "base/encode.h"
#include "base/json_write.h"
#include "base/text.h"
#include "model/limits.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK_MS = 1000, /* ended sooner than this after its start: something is wrong */
    QUICK_FREE = 3,  /* so many times at once before we wait */
    AGAIN_MS = 200,
    STOP_MS = 5000, /* then the rest are killed */
    LOST_MS = 500,  /* a keeper that ended was noticed by then */
};

static const char *const NAMES[] = { "keeper", "worker", "console" };
static const Party PARTIES[] = { PARTY_KEEPER, PARTY_WORKER, PARTY_CONSOLE };

typedef void EachFn(Supervisor *s, Child *c);

const char *child_name(const Child *c)
{
    return NAMES[c->kind];
}

/* Everybody but the keeper. */
static void each_client(Supervisor *s, EachFn *fn)
{
    for (size_t i = 0; i < s->worker_count; i++)
        fn(s, &s->workers[i]);
    fn(s, &s->console);
}

/* --- talking ---------------------------------------------------------------------------- */

static void tell_peer(Supervisor *s, Child *c, uint16_t kind, bool known, int fd)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Peer peer = { .party = (uint8_t)PARTIES[c->kind],
                        .slot = c->slot,
                        .pid = (uint32_t)c->pid,
                        .writer = c->writer,
                        .known = known };

    buf_init(&body, 256);
    if (s->keeper.channel != NULL && pack_peer(&body, &peer) == OK &&
        channel_tell(s->keeper.channel, kind, buf_view(&body), fd) != OK)
        log_line(LOG_ERROR, "channel", "the keeper does not take messages");
}

/* A fresh pair between the keeper and a child that runs already. */
static void connect_known(Supervisor *s, Child *c)
{
    int pair[2];

    if (c->pid == 0 || c->channel == NULL || channel_pair(pair) != OK)
        return;
    tell_peer(s, c, ASK_PEER, true, pair[0]);
    (void)!channel_tell(c->channel, ASK_KEEPER_CHANNEL, (Bytes){ 0 }, pair[1]);
    c->channels_given++;
    close(pair[0]);
    close(pair[1]);
}

static const char *sandbox_words(const Child *c)
{
    const bool files = c->sandbox.landlock_abi != 0, calls = c->sandbox.seccomp != 0;

    if (!c->ready)
        return "not ready";
    if (files && calls)
        return "Landlock, seccomp";
    return files ? "NO seccomp" : calls ? "NO Landlock" : "NONE";
}

static void put_process(Json *j, const Child *c, const uv_loop_t *loop)
{
    json_write_object(j, NULL);
    json_write_string(j, "name", text_of(NAMES[c->kind]));
    json_write_u64(j, "slot", c->slot);
    json_write_u64(j, "pid", (uint64_t)c->pid);
    json_write_bool(j, "ready", c->ready);
    if (c->kind == CHILD_WORKER)
        json_write_bool(j, "draining", c->supervisor->draining);
    json_write_string(j, "sandbox", text_of(sandbox_words(c)));
    json_write_u64(j, "landlock_abi", c->sandbox.landlock_abi);
    json_write_bool(j, "seccomp", c->sandbox.seccomp != 0);
    json_write_u64(j, "restarts", c->restarts);
    json_write_u64(j, "up_ms", c->pid != 0 ? uv_now(loop) - c->started_ms : 0);
    json_write_object_end(j);
}

static void answer_processes(Supervisor *s, const ChannelMessage *m)
{
    CLEANUP(buf_done) Buf out = { 0 };

    buf_init(&out, LIMIT_IPC_MESSAGE);
    Json j = json_write_begin(&out);
    json_write_array(&j, NULL);
    put_process(&j, &s->keeper, &s->loop);
    for (size_t i = 0; i < s->worker_count; i++)
        put_process(&j, &s->workers[i], &s->loop);
    put_process(&j, &s->console, &s->loop);
    json_write_array_end(&j);
    if (json_write_end(&j) == OK)
        (void)!channel_reply(s->keeper.channel, m, buf_view(&out), -1);
}

static void pass_cancel(Supervisor *s, const ChannelMessage *m)
{
    Cancel cancel;

    if (unpack_cancel(m->body, &cancel) != OK || cancel.slot >= s->worker_count)
        return;
    Child *to = &s->workers[cancel.slot];
    if (to->channel != NULL)
        (void)!channel_tell(to->channel, ASK_CANCEL, m->body, -1);
}

static void start_client(Supervisor *s, Child *c);

static void on_child_ready(Supervisor *s, Child *c, const Ready *said)
{
    c->sandbox = *said;
    c->ready = true;
    c->quick_ends = 0;
    if (c->kind == CHILD_KEEPER) {
        each_client(s, start_client);
        return;
    }
    bool all = s->console.ready;
    for (size_t i = 0; i < s->worker_count; i++)
        all = all && s->workers[i].ready;
    if (all && !s->announced) {
        s->announced = true;
        notify_tell(&s->notify, "READY=1");
        log_line(LOG_INFO, "ready", "listening for PostgreSQL on port %u",
                 s->edition->config.gateway.listen.postgres.port);
    }
}

/* The keeper cut it off, so it is one of those that have a channel there. */
static void end_child(Supervisor *s, Bytes body)
{
    PeerBroke said;

    if (unpack_peer_broke(body, &said) != OK || said.pid == 0)
        return;
    if ((pid_t)said.pid == s->console.pid)
        (void)kill(s->console.pid, SIGKILL);
    for (size_t i = 0; i < s->worker_count; i++)
        if ((pid_t)said.pid == s->workers[i].pid)
            (void)kill(s->workers[i].pid, SIGKILL);
}

static void on_keeper_lost(uv_timer_t *timer)
{
    Child *c = timer->data;
    const Supervisor *s = c->supervisor;

    if (c->pid == 0 || s->stopping || s->keeper.pid == 0 || c->channels_given != c->channel_lost)
        return; /* it is the keeper that ended; the next one has a channel of its own */
    log_line(LOG_ERROR, "channel", "%s %u cannot talk to the keeper; another one begins",
             NAMES[c->kind], c->slot);
    (void)kill(c->pid, SIGTERM);
}

/* Either the keeper ended, which we are about to hear, or the channel alone did. */
static void keeper_lost(Child *c, Bytes body)
{
    KeeperLost lost;

    if (unpack_keeper_lost(body, &lost) != OK)
        return;
    c->channel_lost = lost.given;
    (void)uv_timer_start(&c->again, on_keeper_lost, LOST_MS, 0);
}

static void on_message(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Child *c = ctx;
    Supervisor *s = c->supervisor;

    (void)channel;
    if (m->fd >= 0)
        close(m->fd);
    if (!ask_allowed(m->kind, PARTIES[c->kind], PARTY_SUPERVISOR, m->is_question)) {
        log_line(LOG_ERROR, "channel", "%s %u asked what it may not (%u)", NAMES[c->kind], c->slot,
                 m->kind);
        (void)kill(c->pid, SIGKILL);
        return;
    }
    Ready ready;
    if (m->kind == ASK_PEER_BROKE)
        end_child(s, m->body);
    else if (m->kind == ASK_READY && unpack_ready(m->body, &ready) == OK)
        on_child_ready(s, c, &ready);
    else if (m->kind == ASK_DIAL)
        dial_start(c, m);
    else if (m->kind == ASK_CANCEL)
        pass_cancel(s, m);
    else if (m->kind == ASK_PROCESSES)
        answer_processes(s, m);
    else if (m->kind == ASK_PREPARED)
        reload_prepared(c, m->body);
    else if (m->kind == ASK_DRAIN_ALL)
        drain_on_call(s, m);
    else if (m->kind == ASK_KEEPER_LOST)
        keeper_lost(c, m->body);
    else if (m->kind == ASK_RELOAD)
        reload_on_call(s, m);
}

static void on_channel_ended(void *ctx, Channel *channel)
{
    (void)ctx;
    (void)channel; /* SIGCHLD will tell */
}

/* --- starting --------------------------------------------------------------------------- */

static Err drop_log(Child *c)
{
    log_pipe_end(c->log);
    c->log = NULL;
    return ERR_IO;
}

static Err spawn(Supervisor *s, Child *c, int keeper_fd)
{
    char slot[16], writer[33] = { 0 };
    CLEANUP(buf_done) Buf hex = { 0 };
    int pair[2], log_fd;

    random_fill(c->writer.bytes, sizeof c->writer.bytes);
    buf_init(&hex, 64);
    TRY(hex_encode(VIEW(c->writer.bytes), &hex));
    memcpy(writer, buf_view(&hex).ptr, 32);
    (void)snprintf(slot, sizeof slot, "%u", c->slot);
    TRY(log_pipe_new(&s->loop, &c->log, &log_fd));
    if (channel_pair(pair) != OK) {
        close(log_fd);
        return drop_log(c);
    }
    const ChildSpec spec = {
        .role = NAMES[c->kind],
        .arguments = { slot, writer },
        .fds = { pair[1], s->edition->fd, keeper_fd, c->listen_fd,
                 c->kind == CHILD_CONSOLE ? s->metrics_fd : -1 },
        .stderr_fd = log_fd,
        .uid = s->uids[c->kind],
        .binary_fd = s->binary_fd,
    };
    const Err err = child_spawn(&spec, &c->pid);
    close(pair[1]);
    close(log_fd);
    if (err != OK) {
        close(pair[0]);
        return drop_log(c);
    }
    const ChannelHandlers handlers = { c, on_message, on_channel_ended };
    c->started_ms = uv_now(&s->loop);
    c->ready = false;
    c->channels_given = 0;
    c->sandbox = (Ready){ 0 };
    return channel_new(&s->loop, pair[0], &handlers, &c->channel);
}

static void on_again(uv_timer_t *timer);

/* A process that nobody can talk to ends, and SIGCHLD starts another one. */
static void start_failed(Child *c)
{
    log_line(LOG_ERROR, "spawn", "cannot start %s %u: %s", NAMES[c->kind], c->slot,
             strerror(errno));
    if (c->pid != 0)
        (void)kill(c->pid, SIGKILL);
    else
        (void)uv_timer_start(&c->again, on_again, AGAIN_MS, 0);
}

static void start_client(Supervisor *s, Child *c)
{
    int pair[2];

    if (c->pid != 0 || s->stopping || s->keeper.pid == 0 || !s->keeper.ready)
        return;
    if (channel_pair(pair) != OK) {
        start_failed(c);
        return;
    }
    if (spawn(s, c, pair[1]) == OK) {
        tell_peer(s, c, ASK_PEER, false, pair[0]);
        if (s->draining && c->kind == CHILD_WORKER)
            drain_tell(c); /* it reads this before it has taken anybody */
    } else
        start_failed(c);
    close(pair[0]);
    close(pair[1]);
}

static Err start_keeper(Supervisor *s)
{
    TRY(spawn(s, &s->keeper, -1));
    each_client(s, connect_known);
    return channel_tell(s->keeper.channel, ASK_START, (Bytes){ 0 }, -1);
}

static void start_one(Child *c)
{
    if (c->kind != CHILD_KEEPER)
        start_client(c->supervisor, c);
    else if (start_keeper(c->supervisor) != OK)
        start_failed(c);
}

static void on_again(uv_timer_t *timer)
{
    Child *c = timer->data;

    if (reload_holds_starts(c->supervisor)) {
        (void)uv_timer_start(&c->again, on_again, AGAIN_MS, 0);
        return;
    }
    if (c->pid == 0 && !c->supervisor->stopping)
        start_one(c);
}

static void init_child(Supervisor *s, Child *c, ChildKind kind, uint32_t slot)
{
    c->supervisor = s;
    c->kind = kind;
    c->slot = slot;
    (void)uv_timer_init(&s->loop, &c->again);
    c->again.data = c;
}

bool children_start(Supervisor *s)
{
    (void)uv_timer_init(&s->loop, &s->stop_timer);
    s->keeper.listen_fd = -1;
    init_child(s, &s->keeper, CHILD_KEEPER, 0);
    init_child(s, &s->console, CHILD_CONSOLE, 0);
    for (size_t i = 0; i < s->worker_count; i++)
        init_child(s, &s->workers[i], CHILD_WORKER, (uint32_t)i);
    return start_keeper(s) == OK;
}

/* --- ending ----------------------------------------------------------------------------- */

static void end_loop_when_all_gone(Supervisor *s)
{
    bool any = s->keeper.pid != 0 || s->console.pid != 0;

    for (size_t i = 0; i < s->worker_count; i++)
        any = any || s->workers[i].pid != 0;
    if (!any)
        uv_stop(&s->loop);
}

static void stop_keeper_when_alone(Supervisor *s)
{
    bool clients = s->console.pid != 0;

    for (size_t i = 0; i < s->worker_count; i++)
        clients = clients || s->workers[i].pid != 0;
    if (!clients && s->keeper.pid != 0)
        (void)kill(s->keeper.pid, SIGTERM);
}

static void restart_later(Supervisor *s, Child *c)
{
    const bool quick = uv_now(&s->loop) - c->started_ms < QUICK_MS && !c->ready;

    c->restarts++;
    c->quick_ends = quick ? c->quick_ends + 1 : 0;
    if (c->kind == CHILD_KEEPER && c->quick_ends > QUICK_FREE && !s->announced) {
        log_line(LOG_ERROR, "keeper", "does not start; see the lines above");
        s->failed = true;
        children_stop(s);
        return;
    }
    const uint64_t wait = c->quick_ends > QUICK_FREE ? AGAIN_MS * c->quick_ends : 0;
    (void)uv_timer_start(&c->again, on_again, wait < 5000 ? wait : 5000, 0);
}

static void on_ended(Supervisor *s, Child *c, int status)
{
    (void)!drop_log(c); /* its last words first */
    log_line(s->stopping ? LOG_INFO : LOG_WARN, "ended", "%s %u (pid %d) %s %d", NAMES[c->kind],
             c->slot, (int)c->pid, WIFSIGNALED(status) ? "by signal" : "with status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (c->kind != CHILD_KEEPER)
        tell_peer(s, c, ASK_PEER_GONE, true, -1);
    c->pid = 0;
    Channel *channel = c->channel;
    c->channel = NULL; /* open questions learn of it: nothing is sent there any more */
    if (channel != NULL)
        channel_free(channel);
    reload_child_ended(s, c);
    if (!s->stopping) {
        restart_later(s, c);
        return;
    }
    stop_keeper_when_alone(s);
    end_loop_when_all_gone(s);
}

static Child *child_by_pid(Supervisor *s, pid_t pid)
{
    if (s->keeper.pid == pid)
        return &s->keeper;
    if (s->console.pid == pid)
        return &s->console;
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].pid == pid)
            return &s->workers[i];
    return NULL;
}

void children_reap(Supervisor *s)
{
    int status;

    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        Child *c = child_by_pid(s, pid);

        if (c != NULL)
            on_ended(s, c, status);
        else if (pid == s->trial_pid)
            upgrade_tried(s, status);
    }
}

static void send_signal(Supervisor *s, int number)
{
    for (size_t i = 0; i < s->worker_count; i++)
        if (s->workers[i].pid != 0)
            (void)kill(s->workers[i].pid, number);
    if (s->console.pid != 0)
        (void)kill(s->console.pid, number);
}

static void on_stop_late(uv_timer_t *timer)
{
    Supervisor *s = timer->data;

    send_signal(s, SIGKILL);
    if (s->keeper.pid != 0)
        (void)kill(s->keeper.pid, SIGKILL);
    uv_stop(&s->loop);
}

void children_stop(Supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->stop_timer.data = s;
    (void)uv_timer_start(&s->stop_timer, on_stop_late, STOP_MS, 0);
    send_signal(s, SIGTERM);
    stop_keeper_when_alone(s);
    end_loop_when_all_gone(s);
}
