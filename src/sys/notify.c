#include "sys/notify.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "/run/systemd/notify", or "@name" in the abstract namespace. */
static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const size_t len = strlen(path);

    if (len < 2 || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return -1;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (connect(fd, (const struct sockaddr *)(const void *)&address, size) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint64_t number_of(const char *name)
{
    uint64_t number = 0;

    return text_u64(text_of(getenv(name)), UINT64_MAX, &number) == OK ? number : 0;
}

void notify_begin(Notify *ret)
{
    const char *path = getenv("NOTIFY_SOCKET");
    const uint64_t pid = number_of("WATCHDOG_PID");

    const int fd = path != NULL ? dial(path) : -1;

    *ret = (Notify){ .asked = fd >= 0, .fd = fd };
    if (ret->asked)
        (void)snprintf(ret->path, sizeof ret->path, "%s", path);
    if (ret->asked && (pid == 0 || pid == (uint64_t)getpid()))
        ret->watchdog_ms = number_of("WATCHDOG_USEC") / 1000;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

void notify_pass_on(const Notify *n)
{
    char usec[32];

    if (!n->asked)
        return;
    (void)setenv("NOTIFY_SOCKET", n->path, 1);
    (void)snprintf(usec, sizeof usec, "%llu", (unsigned long long)n->watchdog_ms * 1000);
    if (n->watchdog_ms > 0)
        (void)setenv("WATCHDOG_USEC", usec, 1);
}

void notify_tell(const Notify *n, const char *state)
{
    if (n->asked)
        (void)!send(n->fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}
