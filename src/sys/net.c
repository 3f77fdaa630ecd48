#include "sys/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, UNIX_BACKLOG = 64 };

typedef union Peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
    struct sockaddr_storage room;
} Peer;

static Err fail(int fd)
{
    const int why = errno;

    close(fd);
    errno = why;
    return ERR_IO;
}

static Err address_of(Bytes host, uint16_t port, Peer *ret, socklen_t *ret_len)
{
    char text[64];

    *ret = (Peer){ 0 };
    if (host.len >= sizeof text)
        return ERR_LIMIT;
    memcpy(text, host.len > 0 ? (const char *)host.ptr : "", host.len);
    text[host.len] = '\0';
    if (strcmp(text, "localhost") == 0)
        (void)snprintf(text, sizeof text, "127.0.0.1");
    if (host.len == 0 || inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons(port);
        *ret_len = sizeof ret->v6;
        return OK;
    }
    if (inet_pton(AF_INET, text, &ret->v4.sin_addr) != 1) {
        errno = EADDRNOTAVAIL;
        return ERR_IO;
    }
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons(port);
    *ret_len = sizeof ret->v4;
    return OK;
}

Err net_listen(Bytes host, uint16_t port, int *ret_fd)
{
    static const int ON = 1, OFF = 0;
    Peer address;
    socklen_t len;

    TRY(address_of(host, port, &address, &len));
    const int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (address.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &OFF, sizeof OFF) != 0)
        return fail(fd);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &ON, sizeof ON) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &ON, sizeof ON) != 0 ||
        bind(fd, &address.any, len) != 0 || listen(fd, BACKLOG) != 0)
        return fail(fd);
    *ret_fd = fd;
    return OK;
}

Err net_listen_unix(const char *path, int *ret_fd)
{
    Peer address = { .path = { .sun_family = AF_UNIX } };
    struct stat st;

    if (strlen(path) >= sizeof address.path.sun_path) {
        errno = ENAMETOOLONG;
        return ERR_IO;
    }
    memcpy(address.path.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (bind(fd, &address.any, sizeof address.path) != 0 || chmod(path, 0666) != 0 ||
        listen(fd, UNIX_BACKLOG) != 0)
        return fail(fd);
    *ret_fd = fd;
    return OK;
}

static void peer_text(const Peer *peer, char ret[64])
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (peer->any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &peer->v4.sin_addr, host, sizeof host);
        (void)snprintf(ret, 64, "%s:%u", host, ntohs(peer->v4.sin_port));
    } else if (peer->any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &peer->v6.sin6_addr, host, sizeof host);
        (void)snprintf(ret, 64, "[%s]:%u", host, ntohs(peer->v6.sin6_port));
    } else {
        (void)snprintf(ret, 64, "unix");
    }
}

Err net_accept(int listener, int *ret_fd, char ret_peer[64])
{
    Peer peer = { 0 };
    socklen_t len = sizeof peer;
    const int fd = accept4(listener, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? ERR_MORE : ERR_IO;
    peer_text(&peer, ret_peer);
    *ret_fd = fd;
    return OK;
}

void net_no_delay(int fd)
{
    static const int ON = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON);
}

bool net_peer_is_loopback(int fd)
{
    Peer peer = { 0 };
    socklen_t len = sizeof peer;

    if (getpeername(fd, &peer.any, &len) != 0)
        return false;
    if (peer.any.sa_family == AF_UNIX)
        return true;
    if (peer.any.sa_family == AF_INET)
        return ntohl(peer.v4.sin_addr.s_addr) >> 24 == 127;
    const uint8_t *a = peer.v6.sin6_addr.s6_addr;
    if (peer.any.sa_family != AF_INET6)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&peer.v6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr) && a[12] == 127);
}

Err net_peer_process(int fd, pid_t *ret_pid, uid_t *ret_uid)
{
    struct ucred who;
    socklen_t len = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return ERR_IO;
    *ret_pid = who.pid;
    *ret_uid = who.uid;
    return OK;
}

static int try_one(const struct addrinfo *a, unsigned timeout_s)
{
    const struct timeval limit = { .tv_sec = (time_t)timeout_s };
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, a->ai_addr, a->ai_addrlen) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int dial_one(const NetDial *d, const struct addrinfo *a, char endpoint[NET_ENDPOINT_BYTES])
{
    Peer peer = { 0 };

    if (a->ai_addrlen > sizeof peer)
        return -1;
    memcpy(&peer, a->ai_addr, a->ai_addrlen);
    peer_text(&peer, endpoint);
    if (!d->wanted(d->ctx, endpoint))
        return -1;
    const int fd = try_one(a, d->timeout_s);
    /* A blocking connect that ran into SO_SNDTIMEO says EINPROGRESS (socket(7)). */
    if (fd < 0)
        d->failed(d->ctx, endpoint, strerror(errno == EINPROGRESS ? ETIMEDOUT : errno));
    return fd;
}

Err net_dial(const NetDial *d, int *ret_fd, char ret_endpoint[NET_ENDPOINT_BYTES])
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char service[8];
    int fd = -1;

    (void)snprintf(service, sizeof service, "%u", d->port);
    const int err = getaddrinfo(d->host, service, &hints, &found);
    if (err != 0) {
        d->failed(d->ctx, "", gai_strerror(err));
        return ERR_IO;
    }
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
        fd = dial_one(d, a, ret_endpoint);
    freeaddrinfo(found);
    *ret_fd = fd;
    return fd < 0 ? ERR_IO : OK;
}
