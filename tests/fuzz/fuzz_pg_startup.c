/* Any bytes as a client's first packet, as a whole sign-in of both legs, and as errors to scrub:
 * nothing is believed, nothing is written after an error. First byte: whose bytes these are. */
#include "base/text.h"
#include "proto/pg/pg_parameters.h"
#include "proto/pg/pg_scrub.h"
#include "proto/pg/pg_signin.h"
#include "proto/pg/pg_upstream.h"
#include "proto/pg/pg_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stop_if(bool broken)
{
    if (broken)
        abort();
}

static void open_wire(Wire *w)
{
    buf_init(&w->from_client, 64 << 10);
    buf_init(&w->to_client, 64 << 10);
    buf_init(&w->from_server, 64 << 10);
    buf_init(&w->to_server, 64 << 10);
}

static void close_wire(Wire *w)
{
    buf_done(&w->from_client);
    buf_done(&w->to_client);
    buf_done(&w->from_server);
    buf_done(&w->to_server);
}

/* Whatever was asked for, what is told of it is whole messages. */
static void greeting(const PgStartup *s)
{
    CLEANUP(buf_done) Buf known = { 0 };
    CLEANUP(buf_done) Buf told = { 0 };
    CLEANUP(buf_done) Buf changed = { 0 };

    buf_init(&known, 4096);
    buf_init(&told, 64 << 10);
    buf_init(&changed, 64 << 10);
    stop_if(pg_parameter(&known, LIT("DateStyle"), LIT("ISO, MDY")) != OK ||
            pg_parameter(&known, LIT("IntervalStyle"), LIT("postgres")) != OK ||
            pg_parameter(&known, LIT("TimeZone"), LIT("Etc/UTC")) != OK ||
            pg_parameter(&known, LIT("application_name"), LIT("x")) != OK);
    stop_if(pg_parameters_foretell(buf_view(&known), s, s->user, &told) != OK);
    stop_if(pg_parameters_changed(buf_view(&told), buf_view(&told), &changed) != OK);
    stop_if(buf_len(&changed) > 0);
    stop_if(pg_parameters_changed(buf_view(&told), buf_view(&known), &changed) != OK);
}

static void first_packet(Bytes in, Arena *arena)
{
    static PgStartup s;
    Fault fault = { 0 };

    if (pg_startup_read(in, arena, &s, &fault) != OK)
        return;
    stop_if(s.before_3 || (s.minor != PG_MINOR_0 && s.minor != PG_MINOR_2));
    stop_if(s.cancel_key.len > PG_CANCEL_KEY_MAX);
    stop_if(s.unknown_option_count > 0 && !s.negotiate);
    if (s.kind != PG_FIRST_STARTUP)
        return;
    stop_if(s.user.len == 0 || s.database.len == 0 || s.setting_count > PG_SETTINGS_MAX);
    for (size_t i = 0; i < s.setting_count; i++) {
        stop_if(text_eq_nocase(s.settings[i].name, LIT("search_path")));
        stop_if(text_eq_nocase(s.settings[i].name, LIT("client_encoding")));
        stop_if(text_eq_nocase(s.settings[i].name, LIT("role")));
        stop_if(text_starts(s.settings[i].name, LIT("chaperone.")));
    }
    greeting(&s);
}

static void client_leg(Bytes in, Arena *arena, Wire *w)
{
    static PgSignin s;
    PgSigninOrder order = SIGNIN_WAIT;
    Fault fault;
    Err err = OK;

    pg_signin_init(&s, arena);
    s.tls = (PgTls)(in.len % 3);
    if (in.len % 4 == 3)
        pg_signin_secured(&s, LIT("hash"));
    stop_if(buf_append(&w->from_client, in) != OK);
    PgOpening opening;
    if (pg_opening(in, &opening) != OK)
        stop_if(opening != OPENING_NOTHING);
    for (int i = 0; err == OK && i < 8; i++) {
        err = pg_signin_spoke(&s, w, &order, &fault);
        stop_if(order == SIGNIN_PROVE && s.server_first.len == 0);
        stop_if(order == SIGNIN_TLS && s.tls != PG_TLS_OFFERED && s.tls != PG_TLS_REQUIRED);
        if (err == OK && order == SIGNIN_TLS)
            pg_signin_secured(&s, LIT("hash"));
        if (err == OK && order == SIGNIN_BEGIN)
            err = pg_signin_begun(&s, w, LIT("r=01234567abcdefgh,s=c2FsdHNhbHQ=,i=4096"));
    }
    stop_if(s.phase == SIGNIN_DONE); /* nobody has said that the proof holds */
    stop_if(buf_len(&w->to_server) > 0);
}

static void server_leg(Bytes in, Arena *arena, Wire *w)
{
    const PgUpstreamStart start = { .user = LIT("u"),
                                    .database = LIT("d"),
                                    .application = LIT("a"),
                                    .nonce = LIT("0123456789abcdefghijklmn"),
                                    .binding = in.len % 2 == 0 ? LIT("hash") : (Bytes){ 0 },
                                    .md5_allowed = in.len % 3 == 0,
                                    .pooled = in.len % 5 == 0 };
    const Hash signature = { { 7 } };
    PgUpstreamOrder order = UPSTREAM_WAIT;
    static PgUpstream u;

    stop_if(pg_upstream_init(&u, arena, &start, w) != OK);
    stop_if(buf_append(&w->from_server, in) != OK);
    Err err = pg_upstream_spoke(&u, w, &order);
    if (err == OK && order == UPSTREAM_PROVE)
        err = pg_upstream_proved(&u, w, LIT("c=biws,r=x,p=y"), &signature);
    const bool by_md5 = err == OK && order == UPSTREAM_MD5;
    stop_if(by_md5 && !start.md5_allowed);
    if (by_md5)
        err = pg_upstream_md5(&u, w, LIT("md5x"));
    if (err == OK)
        err = pg_upstream_spoke(&u, w, &order);
    /* Only who knows the verifier gets there; the corpus holds such a one. */
    stop_if(order == UPSTREAM_READY && !by_md5 && text_find(in, LIT("v=BwAAAAAAAAAA")) == in.len);
    stop_if(buf_len(&w->to_client) > 0);
    pg_upstream_done(&u);
}

/* With a context, whatever the text, only the condition's name leaves. */
static void errors(Bytes in, Wire *w)
{
    CLEANUP(buf_done) Buf body;
    Bytes state;

    if (pg_scrub('E', in, true, &w->to_client, &state) == OK)
        stop_if(state.len != 5);
    buf_init(&body, 64 << 10);
    stop_if(buf_append(&body, LIT("C42501\0Wcontext\0Mcanary")) != OK);
    for (size_t i = 0; i < in.len; i++)
        stop_if(buf_byte(&body, in.ptr[i] == 0 ? ' ' : in.ptr[i]) != OK);
    stop_if(buf_append(&body, LIT("\0\0")) != OK);
    buf_truncate(&w->to_client, 0);
    stop_if(pg_scrub('E', buf_view(&body), true, &w->to_client, &state) != OK);
    stop_if(text_find(buf_view(&w->to_client), LIT("canary")) < buf_len(&w->to_client));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena arena;
    Wire w;

    if (size < 1 || size > 16384)
        return 0;
    const Bytes in = { data + 1, size - 1 };
    arena_init(&arena, 1 << 20);
    open_wire(&w);
    switch (data[0] & 3) {
    case 0:
        first_packet(in, &arena);
        break;
    case 1:
        client_leg(in, &arena, &w);
        break;
    case 2:
        server_leg(in, &arena, &w);
        break;
    default:
        errors(in, &w);
        break;
    }
    close_wire(&w);
    arena_done(&arena);
    return 0;
}
