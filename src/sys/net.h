/* Sockets: TCP and Unix listeners, accepted connections. All non-blocking, close-on-exec. */
#ifndef SYS_NET_H
#define SYS_NET_H

#include "base/base.h"

#include <sys/types.h>

/* `host` empty: every interface. SO_REUSEPORT is set, so that several sockets may share the
 * port. errno tells why on ERR_IO. */
Err net_listen(Bytes host, uint16_t port, int *ret_fd) MUST_CHECK;
/* A stream socket at `path` that anybody may connect to (who they are is asked of the kernel);
 * a stale socket file is replaced. */
Err net_listen_unix(const char *path, int *ret_fd) MUST_CHECK;
/* ERR_MORE: nobody is waiting. `ret_peer`: address as text, "127.0.0.1:5432" or "unix". */
Err net_accept(int listener, int *ret_fd, char ret_peer[64]) MUST_CHECK;
/* Small packets leave at once. */
void net_no_delay(int fd);
bool net_peer_is_loopback(int fd);
/* The other side's process, by SO_PEERCRED. */
Err net_peer_process(int fd, pid_t *ret_pid, uid_t *ret_uid) MUST_CHECK;

enum { NET_ENDPOINT_BYTES = 64 }; /* "10.0.0.7:5432", "[::1]:5432" and a NUL */

/* Name resolution, then every address it gives in its order until one connects: blocking, at most
 * `timeout_s` each. Only for a process of its own. */
typedef struct NetDial {
    const char *host;
    uint16_t port;
    unsigned timeout_s;
    bool (*wanted)(void *ctx, const char *endpoint);
    /* `endpoint` empty: the name cannot be resolved. `why` is a static text. */
    void (*failed)(void *ctx, const char *endpoint, const char *why);
    void *ctx;
} NetDial;
/* ERR_IO: none did, or none was wanted. */
Err net_dial(const NetDial *d, int *ret_fd, char ret_endpoint[NET_ENDPOINT_BYTES]) MUST_CHECK;

#endif
