/* relay PORT TARGET-PORT: bytes from one socket to the other and back, nothing else. What any
 * gateway on this road costs at least; ./dev bench measures it beside the others. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS_MAX = 4096, EVENTS = 64, READ_BYTES = 64 << 10 };

static int other[SOCKETS_MAX]; /* of a socket, by its number; 0: none */
static uint8_t bytes[READ_BYTES];

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static struct sockaddr_in local(const char *port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int listen_on(const char *port)
{
    const struct sockaddr_in at = local(port);
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 512) == 0, "listen");
    return fd;
}

static void watch(int ep, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
    const int on = 1;

    must(fd > 0 && fd < SOCKETS_MAX, "too many sockets");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
}

static void take(int ep, int listener, const struct sockaddr_in *target)
{
    const int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);

    must(client >= 0 && server >= 0, "accept");
    must(connect(server, (const struct sockaddr *)target, sizeof *target) == 0, "connect");
    watch(ep, client);
    watch(ep, server);
    other[client] = server;
    other[server] = client;
}

/* Sending blocks: whoever reads slowly holds up all, which a measurement may. */
static void pass_on(int fd)
{
    const ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    ssize_t sent = 0;

    if (got < 0 && errno == EAGAIN) /* an event of another socket that had this number */
        return;
    for (ssize_t n; sent < got; sent += n)
        if ((n = send(other[fd], bytes + sent, (size_t)(got - sent), MSG_NOSIGNAL)) <= 0)
            break;
    if (got > 0 && sent == got)
        return;
    const int far = other[fd];

    other[fd] = other[far] = 0;
    (void)close(fd);
    (void)close(far);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];

    if (argc != 3)
        return 2;
    const int ep = epoll_create1(0), listener = listen_on(argv[1]);
    const struct sockaddr_in target = local(argv[2]);

    watch(ep, listener);
    for (;;) {
        const int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            const int fd = events[i].data.fd;

            if (fd == listener)
                take(ep, listener, &target);
            else if (other[fd] > 0) /* its pair may have been closed by an event before */
                pass_on(fd);
        }
    }
}
