#include "cli/gateway.h"

#include "base/text.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { FRAME_MAX = 64 << 20, TOKEN_MAX = 4096 };

void answer_done(Answer *a)
{
    json_decref(a->parts);
    json_decref(a->result);
    *a = (Answer){ 0 };
}

/* --- secrets ------------------------------------------------------------------------------ */

static Err first_line(int fd, Buf *out)
{
    char byte;

    for (;;) {
        const ssize_t n = read(fd, &byte, 1);

        if (n < 0)
            return ERR_IO;
        if (n == 0 || byte == '\n')
            return OK;
        TRY(buf_byte(out, (uint8_t)byte));
    }
}

static Err from_terminal(const char *prompt, Buf *out)
{
    struct termios before, quiet;

    (void)fprintf(stderr, "%s: ", prompt);
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return ERR_IO;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0)
        return ERR_IO;
    const Err err = first_line(STDIN_FILENO, out);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    (void)fputc('\n', stderr);
    return err;
}

Err gateway_secret(const char *path, const char *prompt, Buf *out)
{
    CLEANUP(file_done) File f = { .fd = -1 };

    if (path != NULL) {
        TRY(file_open(path, 0, 0, &f));
        TRY(first_line(f.fd, out));
    } else {
        TRY(isatty(STDIN_FILENO) ? from_terminal(prompt, out) : first_line(STDIN_FILENO, out));
    }
    return buf_len(out) > 0 ? OK : ERR_MORE;
}

Err gateway_password(const Cli *c, const char *prompt, Buf *out)
{
    return gateway_secret(cli_option(c, "password-file"), prompt, out);
}

/* Unless the command takes it itself: --as USER with a password, --token-file, CHAPERONE_TOKEN, or
 * nobody but the process itself. */
static Err find_token(const Cli *c, Buf *out)
{
    CLEANUP(file_done) File f = { .fd = -1 };
    const char *as = cli_option(c, "as"), *path = cli_option(c, "token-file");
    const char *environment = getenv("CHAPERONE_TOKEN");

    if (as != NULL && !c->command->as_is_argument) {
        TRY(text_format(out, "%s:", as));
        const Err err = gateway_password(c, "Password", out);
        return err == ERR_MORE ? ERR_REFUSED : err;
    }
    if (path != NULL) {
        TRY(file_open(path, 0, 0, &f));
        return first_line(f.fd, out);
    }
    return environment != NULL ? buf_append(out, text_of(environment)) : OK;
}

/* --- the socket --------------------------------------------------------------------------- */

static int dial(Bytes path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (path.len == 0 || path.len >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path.ptr, path.len);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static Err send_call(int fd, const json_t *call)
{
    CLEANUP(buf_done) Buf frame = { 0 };
    char *text = json_dumps(call, JSON_COMPACT);

    if (text == NULL)
        return ERR_LIMIT;
    const Bytes body = text_of(text);
    buf_init(&frame, FRAME_MAX);
    Err err = buf_u32(&frame, (uint32_t)body.len);
    if (err == OK)
        err = buf_append(&frame, body);
    if (err == OK)
        err = file_write_all(fd, buf_view(&frame));
    explicit_bzero(text, body.len);
    free(text);
    return err;
}

static Err read_exactly(int fd, uint8_t *into, size_t len)
{
    for (size_t at = 0; at < len;) {
        const ssize_t n = read(fd, into + at, len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        at += (size_t)n;
    }
    return OK;
}

static Err read_frame(int fd, json_t **ret)
{
    uint8_t head[4];

    TRY(read_exactly(fd, head, sizeof head));
    const size_t len =
        (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len == 0 || len > FRAME_MAX)
        return ERR_MALFORMED;
    uint8_t *body = malloc(len);
    if (body == NULL)
        return ERR_LIMIT;
    const Err err = read_exactly(fd, body, len);
    *ret = err == OK ? json_loadb((const char *)body, len, 0, NULL) : NULL;
    free(body);
    return *ret != NULL ? OK : err != OK ? err : ERR_MALFORMED;
}

static Err read_answer(int fd, Answer *ret)
{
    ret->parts = json_array();
    for (;;) {
        json_t *frame;

        TRY(read_frame(fd, &frame));
        json_t *part = json_object_get(frame, "part");
        if (part != NULL) {
            (void)json_array_append(ret->parts, part);
            json_decref(frame);
            continue;
        }
        ret->exit_status = (int)json_integer_value(json_object_get(frame, "exit"));
        ret->result =
            json_incref(json_object_get(frame, ret->exit_status == 0 ? "result" : "error"));
        json_decref(frame);
        return OK;
    }
}

/* --- calling ------------------------------------------------------------------------------ */

static Err talk(Cli *c, const json_t *call, Answer *ret)
{
    CLEANUP(file_done) File f = { dial(c->config.gateway.admin_socket) };

    if (f.fd < 0) {
        (void)cli_say(0, "the gateway does not answer at %.*s: %s",
                      SHOW(c->config.gateway.admin_socket), strerror(errno));
        return ERR_IO;
    }
    TRY(send_call(f.fd, call));
    const Err err = read_answer(f.fd, ret);
    if (err != OK)
        (void)cli_say(0, "the gateway ended the call without an answer");
    return err;
}

static json_t *make_call(const Cli *c, const char *name, json_t *args)
{
    CLEANUP(buf_done) Buf token = { 0 };

    buf_init(&token, TOKEN_MAX);
    if (find_token(c, &token) != OK) {
        (void)cli_say(0, "the token or password cannot be read");
        json_decref(args);
        return NULL;
    }
    const Bytes t = text_trim(buf_view(&token));
    return json_pack("{s:s, s:s%, s:o}", "call", name, "token",
                     t.len > 0 ? (const char *)t.ptr : "", t.len, "args", args);
}

bool gateway_call(Cli *c, const char *name, json_t *args, Answer *ret)
{
    *ret = (Answer){ .exit_status = EXIT_USAGE };
    if (!cli_config(c)) {
        json_decref(args);
        return false;
    }
    json_t *call = make_call(c, name, args);
    if (call == NULL)
        return false;
    const Err err = talk(c, call, ret);
    json_decref(call);
    if (err != OK) {
        ret->exit_status = EXIT_GATEWAY;
        return false;
    }
    if (ret->exit_status == EXIT_DONE)
        return true;
    const char *message = json_string_value(json_object_get(ret->result, "message"));
    (void)cli_say(0, "%s", message != NULL ? message : "failed");
    return false;
}

/* --- arguments ---------------------------------------------------------------------------- */

static bool put_words(Cli *c, json_t *args)
{
    size_t count = 0;

    for (const char *at = c->command->words; at != NULL && *at != '\0'; count++) {
        const size_t item = strcspn(at, " ");
        const bool optional = at[item - 1] == '?';
        const size_t len = item - (optional ? 1 : 0);
        char name[64];

        if (count >= c->word_count && !optional) {
            (void)cli_say(0, "usage: chaperone %s %s", c->command->name, c->command->arguments);
            return false;
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)len, at);
        if (count < c->word_count)
            (void)json_object_set_new(args, name, json_string(c->words[count]));
        at += item + strspn(at + item, " ");
    }
    if (c->word_count > count)
        (void)cli_say(0, "usage: chaperone %s %s", c->command->name,
                      c->command->arguments != NULL ? c->command->arguments : "");
    return c->word_count <= count;
}

static bool is_ours(const char *name)
{
    static const char *const OURS[] = { "config",        "output",      "json",
                                        "help",          "token-file",  "as",
                                        "password-file", "no-password", "watch" };

    for (size_t i = 0; i < COUNT_OF(OURS); i++)
        if (strcmp(OURS[i], name) == 0)
            return true;
    return false;
}

static bool put_time(json_t *args, const char *value)
{
    char text[32];
    uint64_t at;

    if (cli_expiry(value, &at) != OK) {
        (void)cli_say(0, "%s is no time: 8h, 30d, 2027-01-31", value);
        return false;
    }
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)at);
    (void)json_object_set_new(args, "expires_ns", json_string(text));
    return true;
}

static bool put_option(const Command *command, json_t *args, const Option *o)
{
    if (is_ours(o->name) && !(command->as_is_argument && strcmp(o->name, "as") == 0))
        return true;
    if (strcmp(o->name, "ttl") == 0 || strcmp(o->name, "expires") == 0)
        return put_time(args, o->value);
    if (strcmp(o->name, "group") != 0)
        return json_object_set_new(args, o->name, json_string(o->value)) == 0;
    if (json_object_get(args, o->name) == NULL)
        (void)json_object_set_new(args, o->name, json_array());
    return json_array_append_new(json_object_get(args, o->name), json_string(o->value)) == 0;
}

json_t *gateway_arguments(Cli *c)
{
    json_t *args = json_object();
    bool fine = put_words(c, args);

    for (size_t i = 0; fine && i < c->option_count; i++)
        fine = put_option(c->command, args, &c->options[i]);
    if (fine)
        return args;
    json_decref(args);
    return NULL;
}
