#include "console/http.h"

#include "base/text.h"

/* Where the empty line ends that ends the head; 0: not here yet. */
static size_t head_end(Bytes in)
{
    bool line_empty = false;

    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] == '\r' && i + 1 < in.len && in.ptr[i + 1] == '\n')
            continue;
        if (in.ptr[i] != '\n') {
            line_empty = false;
            continue;
        }
        if (line_empty)
            return i + 1;
        line_empty = true;
    }
    return 0;
}

static Bytes take_word(Bytes *line)
{
    const size_t len = text_find(*line, LIT(" "));
    const Bytes word = bytes_upto(*line, len);

    *line = bytes_from(*line, len < line->len ? len + 1 : len);
    return word;
}

/* §3: method, target, version, single blanks between. */
static unsigned read_line(Bytes line, HttpAsk *ret)
{
    const Bytes method = take_word(&line), target = take_word(&line);

    if (method.len == 0 || target.len == 0 || target.ptr[0] != '/' || line.len != 8 ||
        !text_starts(line, LIT("HTTP/")))
        return 400;
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f)
            return 400;
    if (!text_starts(line, LIT("HTTP/1.")))
        return 505;
    ret->path = bytes_upto(target, text_find(target, LIT("?")));
    ret->is_head = text_eq(method, LIT("HEAD"));
    return ret->is_head || text_eq(method, LIT("GET")) ? 200 : 405;
}

Err http_read(Bytes in, HttpAsk *ret, unsigned *ret_status)
{
    *ret = (HttpAsk){ 0 };
    if (head_end(in) == 0) {
        *ret_status = 431;
        return in.len < HTTP_HEAD_MAX ? ERR_MORE : OK;
    }
    Bytes line = bytes_upto(in, text_find(in, LIT("\n")));
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    *ret_status = read_line(line, ret);
    return OK;
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Bad Request";
    }
}

Err http_answer(Buf *out, unsigned status, bool is_head, Bytes body)
{
    TRY(text_format(out,
                    "HTTP/1.1 %u %s\r\n"
                    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                    "Content-Length: %zu\r\n%s"
                    "Cache-Control: no-store\r\n"
                    "X-Content-Type-Options: nosniff\r\n"
                    "Connection: close\r\n\r\n",
                    status, reason_of(status), body.len,
                    status == 405 ? "Allow: GET, HEAD\r\n" : ""));
    return is_head ? OK : buf_append(out, body);
}
