#include "sys/fd_pass.h"

#include <string.h>
#include <sys/socket.h>

typedef union Control {
    struct cmsghdr align;
    char mem[CMSG_SPACE(sizeof(int))];
} Control;

ssize_t fd_pass_send(int socket, Bytes packet, int fd)
{
    Control control = { 0 };
    struct iovec iov = { .iov_base = (void *)(uintptr_t)packet.ptr, .iov_len = packet.len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        m.msg_control = control.mem;
        m.msg_controllen = sizeof control.mem;
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(h), &fd, sizeof fd);
    }
    return sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int take_fd(struct msghdr *m)
{
    int fd = -1;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        if (h->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(h), sizeof fd);
    }
    return fd;
}

ssize_t fd_pass_receive(int socket, void *mem, size_t size, int *ret_fd)
{
    Control control;
    struct iovec iov = { .iov_base = mem, .iov_len = size };
    struct msghdr m = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.mem,
                        .msg_controllen = sizeof control.mem };
    const ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *ret_fd = n >= 0 ? take_fd(&m) : -1;
    return n;
}
