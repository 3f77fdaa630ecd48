#include "console/client.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "sys/child.h"
#include "sys/log.h"
#include "sys/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 8, READ_SIZE = 16 << 10 };

static void on_ready(uv_poll_t *poll, int status, int events);

/* --- coming and going --------------------------------------------------------------------- */

static void poll_closed(uv_handle_t *handle)
{
    free(handle);
}

void client_close(Client *client)
{
    if (client->fd < 0)
        return;
    client->poll->data = NULL;
    (void)uv_poll_stop(client->poll);
    uv_close((uv_handle_t *)client->poll, poll_closed);
    close(client->fd);
    buf_done(&client->in);
    buf_done(&client->out);
    *client = (Client){ .console = client->console, .fd = -1 };
}

static void watch(Client *client)
{
    const int events = UV_READABLE | (buf_len(&client->out) > 0 ? UV_WRITABLE : 0);

    (void)uv_poll_start(client->poll, events, on_ready);
}

static bool admit(Client *client, int fd)
{
    client->poll = malloc(sizeof *client->poll);
    if (client->poll == NULL || uv_poll_init(client->console->loop, client->poll, fd) != 0) {
        free(client->poll);
        return false;
    }
    client->fd = fd;
    client->poll->data = client;
    client->since_ms = uv_now(client->console->loop);
    buf_init(&client->in, CALL_MAX + 4);
    buf_init(&client->out, CLIENT_OUT_MAX);
    watch(client);
    return true;
}

static Client *free_place(Console *c)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd < 0)
            return &c->clients[i];
    return NULL;
}

void client_accept(Console *c)
{
    char peer[64];
    int fd;

    while (net_accept(CHILD_LISTEN_FD, &fd, peer) == OK) {
        Client *place = free_place(c);

        if (place == NULL || !admit(place, fd))
            close(fd);
    }
}

Client *client_of_call(Console *c, uint64_t call)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (c->clients[i].fd >= 0 && c->clients[i].call == call)
            return &c->clients[i];
    return NULL;
}

/* --- frames out --------------------------------------------------------------------------- */

static void flush(Client *client)
{
    while (buf_len(&client->out) > 0) {
        const Bytes rest = buf_view(&client->out);
        const ssize_t n = send(client->fd, rest.ptr, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) {
            client_close(client);
            return;
        }
        buf_consume(&client->out, (size_t)n);
    }
    watch(client);
}

static Err put_frame(Client *client, Bytes before, Bytes json)
{
    TRY(buf_u32(&client->out, (uint32_t)(before.len + json.len + 1)));
    TRY(buf_append(&client->out, before));
    TRY(buf_append(&client->out, json));
    return buf_byte(&client->out, '}');
}

static void send_frame(Client *client, Bytes before, Bytes json)
{
    if (put_frame(client, before, json) == OK)
        flush(client);
    else
        client_close(client); /* it does not read what it asked for */
}

void client_send_part(Client *client, Bytes json)
{
    send_frame(client, LIT("{\"part\":"), json);
}

void client_send_end(Client *client, uint32_t exit_status, Bytes json)
{
    CLEANUP(buf_done) Buf before = { 0 };

    client->call = 0;
    client->since_ms = uv_now(client->console->loop);
    buf_init(&before, 256);
    if (text_format(&before, "{\"exit\":%u,\"%s\":", exit_status,
                    exit_status == 0 ? "result" : "error") == OK)
        send_frame(client, buf_view(&before), json.len > 0 ? json : LIT("null"));
}

/* --- calls in ----------------------------------------------------------------------------- */

static void pass_on(Client *client, Bytes json)
{
    CLEANUP(buf_done) Buf body = { 0 };
    Console *c = client->console;
    const uint64_t number = c->next_call++;

    buf_init(&body, LIMIT_IPC_MESSAGE - 64);
    if (call_pack(json, number, &body) != OK) {
        client_send_end(client, EXIT_USAGE, LIT("{\"message\":\"this is not a call\"}"));
        return;
    }
    client->call = number;
    if (channel_tell(c->keeper, ASK_ADMIN, buf_view(&body), client->fd) != OK)
        client_send_end(client, EXIT_UNREACHABLE,
                        LIT("{\"message\":\"the keeper is starting; ask again\"}"));
}

/* One whole call at the front, when none is under way. */
static bool take_call(Client *client)
{
    Reader r = reader_of(buf_view(&client->in));
    uint32_t len;
    Bytes json;

    if (client->call != 0 || reader_u32(&r, &len) != OK)
        return false;
    if (len > CALL_MAX) {
        client_close(client);
        return false;
    }
    if (reader_bytes(&r, len, &json) != OK)
        return false;
    pass_on(client, json);
    if (client->fd >= 0)
        buf_consume(&client->in, 4 + (size_t)len);
    return client->fd >= 0;
}

static bool read_some(Client *client)
{
    uint8_t *room;
    size_t size;

    if (buf_room(&client->in, 1, &room, &size) != OK)
        return false;
    const ssize_t n = recv(client->fd, room, size < READ_SIZE ? size : READ_SIZE, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_filled(&client->in, (size_t)n);
    return n > 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    Client *client = poll->data;

    if (client == NULL)
        return;
    if (status != 0) {
        client_close(client);
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        flush(client);
    if (client->fd < 0 || (events & UV_READABLE) == 0)
        return;
    if (!read_some(client)) {
        client_close(client);
        return;
    }
    while (take_call(client))
        continue;
}
