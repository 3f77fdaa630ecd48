/* TLS towards a target: SSLRequest, one byte of answer, the handshake. Without it nothing is said:
 * there is no way back to plain text. */
#include "worker/target.h"

#include <errno.h>
#include <sys/socket.h>

static const uint8_t SSL_REQUEST[] = { 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f };

bool target_is_secured(const Target *t)
{
    return target_resource(t)->tls.mode != TLS_DISABLE;
}

/* Eight bytes always fit into a fresh connection. */
Err target_secure_begin(int fd)
{
    const ssize_t n = send(fd, SSL_REQUEST, sizeof SSL_REQUEST, MSG_NOSIGNAL | MSG_DONTWAIT);

    return n == (ssize_t)sizeof SSL_REQUEST ? OK : ERR_IO;
}

/* Exactly one byte: what comes behind it belongs to TLS, or breaks it (CVE-2021-23222). */
static Err read_answer(int fd, const char **ret_why)
{
    uint8_t answer;
    const ssize_t n = recv(fd, &answer, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return ERR_MORE;
    *ret_why = n != 1          ? "it hung up"
               : answer == 'N' ? "it does not offer TLS"
                               : "it does not speak TLS";
    return n == 1 && answer == 'S' ? OK : ERR_REFUSED;
}

Err target_secure(const Target *t, uint32_t address, int fd, Tls **tls, const char **ret_why)
{
    *ret_why = "no memory";
    if (*tls == NULL) {
        TRY(read_answer(fd, ret_why));
        TRY(tls_connect(t->tls_context, fd, t->hosts[address], tls));
    }
    const Err err = tls_handshake(*tls);
    *ret_why = tls_why(*tls);
    return err;
}
