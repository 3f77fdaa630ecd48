#include "worker/leg.h"

#include "sys/loop.h"

#include <errno.h>
#include <sys/socket.h>

static Err read_plain(int fd, uint8_t *room, size_t size, Buf *in)
{
    const ssize_t n = recv(fd, room, size < LEG_READ_BYTES ? size : LEG_READ_BYTES, MSG_DONTWAIT);

    if (n > 0) {
        buf_filled(in, (size_t)n);
        return OK;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? OK : ERR_IO;
}

/* A record at a time, until there is none or the turn has enough. */
static Err read_secured(Tls *tls, uint8_t *room, size_t size, Buf *in)
{
    const size_t enough = size < LEG_READ_BYTES ? size : LEG_READ_BYTES;
    size_t got = 0, n;
    Err err = OK;

    while (err == OK && got < enough) {
        err = tls_read(tls, room + got, enough - got, &n);
        got += n;
    }
    buf_filled(in, got);
    return err == ERR_MORE || got > 0 ? OK : err;
}

Err leg_read(int fd, Tls *tls, Buf *in)
{
    uint8_t *room;
    size_t size;

    TRY(buf_room_to_read(in, in->max - buf_len(in) < LEG_READ_BYTES ? 1 : LEG_READ_BYTES, &room,
                         &size));
    return tls != NULL ? read_secured(tls, room, size, in) : read_plain(fd, room, size, in);
}

static bool write_plain(int fd, Bytes out, size_t *ret_sent)
{
    while (out.len > 0) {
        const ssize_t n = send(fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        *ret_sent += (size_t)n;
        out = bytes_from(out, (size_t)n);
    }
    return true;
}

static bool write_secured(Tls *tls, Bytes out, size_t *ret_sent)
{
    while (out.len > 0) {
        size_t n;
        const Err err = tls_write(tls, out, &n);

        if (err != OK)
            return err == ERR_MORE;
        *ret_sent += n;
        out = bytes_from(out, n);
    }
    return true;
}

bool leg_write(int fd, Tls *tls, Bytes out, size_t *ret_sent)
{
    *ret_sent = 0;
    return tls != NULL ? write_secured(tls, out, ret_sent) : write_plain(fd, out, ret_sent);
}

int leg_events(const Tls *tls, int events)
{
    if (tls == NULL)
        return events;
    const TlsEvents more = tls_events(tls);
    return events | (more.writable ? UV_WRITABLE : 0);
}

int leg_handshake_events(const Tls *tls)
{
    if (tls == NULL)
        return UV_READABLE;
    const TlsEvents e = tls_events(tls);
    return (e.readable ? UV_READABLE : 0) | (e.writable ? UV_WRITABLE : 0);
}

bool leg_has_pending(const Tls *tls)
{
    return tls != NULL && tls_has_pending(tls);
}
