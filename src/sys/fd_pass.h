/* One packet over a Unix socket, with or without a descriptor (unix(7), SCM_RIGHTS). */
#ifndef SYS_FD_PASS_H
#define SYS_FD_PASS_H

#include "base/base.h"

#include <sys/types.h>

/* Never blocks. What sendmsg(2) returns; `fd` -1: none, else it stays the caller's. */
ssize_t fd_pass_send(int socket, Bytes packet, int fd);
/* Never blocks. What recvmsg(2) returns; *ret_fd -1: none came, else it is the caller's. */
ssize_t fd_pass_receive(int socket, void *mem, size_t size, int *ret_fd);

#endif
