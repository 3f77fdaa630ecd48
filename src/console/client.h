/* A client of the admin socket: bytes in, frames out, one call at a time. */
#ifndef CONSOLE_CLIENT_H
#define CONSOLE_CLIENT_H

#include "console/call.h"
#include "console/web.h"
#include "sys/channel.h"
#include "sys/sandbox.h"

enum {
    CLIENTS_MAX = 64,
    CLIENT_OUT_MAX = 32 << 20, /* what a client leaves unread before it is dropped */
    CLIENT_IDLE_MS = 30000,    /* without a whole call */
};

struct Console;

typedef struct Client {
    struct Console *console;
    int fd; /* -1: a free place */
    uv_poll_t *poll;
    Buf in, out;
    uint64_t call; /* under way; 0: none */
    uint64_t since_ms;
} Client;

typedef struct Console {
    uv_loop_t *loop;
    Channel *supervisor, *keeper;
    uv_poll_t listener;
    Client clients[CLIENTS_MAX];
    uint64_t next_call;
    uint32_t keeper_channels; /* that came after the first */
    SandboxState sandbox;
    bool has_web;
    Web web;
} Console;

void client_accept(Console *c);
void client_close(Client *client);
void client_send_part(Client *client, Bytes json);
void client_send_end(Client *client, uint32_t exit_status, Bytes json);
Client *client_of_call(Console *c, uint64_t call); /* NULL: it has left */

#endif
