#include "console/console.h"

#include "config/edition.h"
#include "console/client.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/log.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_UNREACHABLE = 8, SWEEP_MS = 5000, WEB_SWEEP_MS = 500 };

/* --- the keeper --------------------------------------------------------------------------- */

static void keeper_said(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Console *c = ctx;
    AdminPart part;
    AdminAnswer done;

    (void)channel;
    if (m->fd >= 0)
        close(m->fd);
    if (m->kind == ASK_ADMIN_PART && unpack_admin_part(m->body, &part) == OK) {
        Client *client = client_of_call(c, part.call);
        if (client != NULL)
            client_send_part(client, part.json);
    } else if (m->kind == ASK_ADMIN_DONE && unpack_admin_answer(m->body, &done) == OK) {
        Client *client = client_of_call(c, done.call);
        if (client != NULL)
            client_send_end(client, done.exit_status, done.json);
    }
}

static void tell_lost(Console *c)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const KeeperLost lost = { .given = c->keeper_channels };

    buf_init(&body, 16);
    if (pack_keeper_lost(&body, &lost) == OK)
        (void)!channel_tell(c->supervisor, ASK_KEEPER_LOST, buf_view(&body), -1);
}

/* What was under way there is lost; whether it was done is in the record. */
static void keeper_gone(void *ctx, Channel *channel)
{
    Console *c = ctx;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0 && c->clients[i].call != 0)
            client_send_end(&c->clients[i], EXIT_UNREACHABLE,
                            LIT("{\"message\":\"the keeper ended while this was under way\"}"));
    if (!channel_is_open(channel))
        tell_lost(c);
}

/* --- the supervisor ----------------------------------------------------------------------- */

static void supervisor_said(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Console *c = ctx;

    (void)channel;
    if (m->kind == ASK_KEEPER_CHANNEL && m->fd >= 0) {
        keeper_gone(c, c->keeper);
        c->keeper_channels++;
        if (channel_replace(c->keeper, m->fd) != OK) {
            log_line(LOG_ERROR, "channel", "the new keeper cannot be reached");
            tell_lost(c);
        }
    } else if (m->fd >= 0) {
        close(m->fd);
    }
}

static void supervisor_gone(void *ctx, Channel *channel)
{
    const Console *c = ctx;

    (void)channel;
    uv_stop(c->loop);
}

/* --- running ------------------------------------------------------------------------------ */

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status == 0)
        client_accept(poll->data);
}

static void on_sweep(uv_timer_t *timer)
{
    Console *c = timer->data;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        Client *client = &c->clients[i];

        if (client->fd >= 0 && client->call == 0 &&
            uv_now(c->loop) - client->since_ms > CLIENT_IDLE_MS)
            client_close(client);
    }
}

static void on_web_sweep(uv_timer_t *timer)
{
    web_sweep(timer->data);
}

static void on_term(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

/* Of the configuration the console needs to know only these. */
static Err read_wishes(Console *c)
{
    CLEANUP(buf_done) Buf bytes = { 0 };
    CLEANUP(arena_done) Arena arena = { 0 };
    Problems problems = { 0 };
    Edition edition;
    Config config;

    arena_init(&arena, CONFIG_ARENA_BYTES);
    TRY(edition_read(CHILD_CONFIG_FD, &bytes, &edition));
    TRY(config_load(edition.yaml, &arena, &config, &problems));
    c->has_web = config.gateway.listen.metrics.port != 0;
    c->sandbox.optional = config.gateway.sandbox == SANDBOX_AUTO;
    return OK;
}

/* Everything is open: no file, no new socket from here on. */
static Err enter_sandbox(Console *c)
{
    CLEANUP(buf_done) Buf body = { 0 };

    TRY(sandbox_enter_files(&c->sandbox, NULL, 0));
    TRY(sandbox_enter_calls(&c->sandbox, SANDBOX_CONSOLE));
    const Ready ready = { .landlock_abi = c->sandbox.landlock_abi, .seccomp = c->sandbox.seccomp };
    buf_init(&body, 16);
    TRY(pack_ready(&body, &ready));
    return channel_tell(c->supervisor, ASK_READY, buf_view(&body), -1);
}

static int run(Console *c)
{
    const ChannelHandlers to_supervisor = { c, supervisor_said, supervisor_gone };
    const ChannelHandlers to_keeper = { c, keeper_said, keeper_gone };
    uv_timer_t sweep, web_sweeper;
    uv_signal_t term;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        c->clients[i] = (Client){ .console = c, .fd = -1 };
    if (channel_new(c->loop, CHILD_SUPERVISOR_FD, &to_supervisor, &c->supervisor) != OK ||
        channel_new(c->loop, CHILD_KEEPER_FD, &to_keeper, &c->keeper) != OK ||
        uv_poll_init(c->loop, &c->listener, CHILD_LISTEN_FD) != 0)
        return EXIT_FAILED;
    c->listener.data = c;
    (void)uv_poll_start(&c->listener, UV_READABLE, on_listener);
    (void)uv_timer_init(c->loop, &sweep);
    sweep.data = c;
    (void)uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    (void)uv_timer_init(c->loop, &web_sweeper);
    web_sweeper.data = &c->web;
    if (c->has_web && web_begin(&c->web, c->loop, c->keeper) != OK)
        return EXIT_FAILED;
    if (c->has_web)
        (void)uv_timer_start(&web_sweeper, on_web_sweep, WEB_SWEEP_MS, WEB_SWEEP_MS);
    (void)uv_signal_init(c->loop, &term);
    (void)uv_signal_start(&term, on_term, SIGTERM);
    if (enter_sandbox(c) != OK)
        return EXIT_FAILED;
    (void)uv_run(c->loop, UV_RUN_DEFAULT);
    return 0;
}

int console_main(void)
{
    Console *c = calloc(1, sizeof *c);
    uv_loop_t loop;

    child_begin();
    call_prepare();
    log_begin("console");
    if (c == NULL || uv_loop_init(&loop) != 0 || read_wishes(c) != OK)
        return EXIT_FAILED;
    c->loop = &loop;
    c->next_call = 1;
    return run(c);
}
