/* What a query costs a worker in its own code: sixteen sessions, pgbench's messages of -M prepared
 * and -M simple, everything on (meaning, policy, masks, record), without sockets and without a
 * disk. Run it under callgrind to see where it goes. */
#include "base/text.h"
#include "proto/pg/pg_write.h"
#include "worker/edition.h"
#include "worker/target.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SESSIONS = 16, WARM = 20000, TURNS = 200000, ACCOUNTS = 16400 };

static const char YAML[] =
    "version: 1\n"
    "resources: [{name: ehr, type: postgres, address: \"127.0.0.1:5432\", credentials: {user: "
    "gate, password: "
    "file:/dev/null}, tls: {mode: disable}, labels: {phi: \"yes\"}}]\n"
    "roles: [{name: analyst, members: [\"group:local/clinical\"], allow: [{resources: [ehr], "
    "actions: [read, write]}], "
    "masking: analyst, predicates: equality}]\n"
    "masking: {profiles: [{name: analyst, rules: [{classes: [name, phone, email, ssn, address], "
    "method: redact}]}]}\n"
    "guardrails: [{name: no-ddl, resources: [ehr], match: {effect: [ddl, priv, admin]}}]\n";

static const SchemaColumn COLUMNS[] = {
    { .name = LIT_INIT("aid"), .attnum = 1, .type_oid = 23, .typmod = -1 },
    { .name = LIT_INIT("bid"), .attnum = 2, .type_oid = 23, .typmod = -1 },
    { .name = LIT_INIT("abalance"), .attnum = 3, .type_oid = 23, .typmod = -1 },
    { .name = LIT_INIT("filler"), .attnum = 4, .type_oid = 1042, .typmod = 88 },
};
static const SchemaRelation RELATIONS[] = { { .oid = ACCOUNTS,
                                              .kind = RELATION_TABLE,
                                              .schema = LIT_INIT("public"),
                                              .name = LIT_INIT("pgbench_accounts"),
                                              .columns = COLUMNS,
                                              .column_count = COUNT_OF(COLUMNS) } };
static const uint32_t BY_OID[] = { 0 };
static const Schema SCHEMA = {
    .generation = 1, .relations = RELATIONS, .relation_count = 1, .by_oid = BY_OID
};

static Worker worker;
static Target target;
static Session sessions[SESSIONS];
static int keeper_fd;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_turn: %s\n", what);
    exit(1);
}

/* --- a worker and its sessions, as sign-in would leave them ------------------------------------
 */

/* Hears what the sessions record, and says nothing. */
static void make_keeper(void)
{
    static const ChannelHandlers HANDLERS = { 0 };
    static uv_loop_t loop;
    int pair[2];

    must(uv_loop_init(&loop) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 &&
             channel_new(&loop, pair[0], &HANDLERS, &worker.keeper) == OK,
         "keeper");
    keeper_fd = pair[1];
}

static void make_worker(void)
{
    static const uint8_t WRITER[LEAF_ID] = { 1 };
    static Knowledge knowledge;
    static WorkerEdition edition = { .epoch = 1 };
    static Target *targets[] = { &target };
    Problems problems = { 0 };

    arena_init(&worker.arena, 32 << 20);
    must(config_load(LIT(YAML), &worker.arena, &edition.config, &problems) == OK, "configuration");
    worker.ready_end = &worker.ready;
    worker.now = (Clock){ .unix_ns = 1, .mono_ns = 1 };
    edition.policy_hash_hex = LIT("00");
    edition.targets = targets;
    worker.edition = &edition;
    buf_init(&worker.payload, 32 << 20);
    look_init(&worker.looks, &PARSE_SQL, siphash_key(WRITER));
    segment_writer_init(&worker.recorder.writer, WRITER);
    buf_init(&worker.recorder.batch, 128 << 20);
    worker.recorder.fd = open("/dev/null", O_WRONLY);
    worker.recorder.next_fd = -1;
    (void)uv_mutex_init(&worker.recorder.lock);
    (void)uv_cond_init(&worker.recorder.wake);
    must(segment_begin(&worker.recorder.writer, 1, 0, &worker.recorder.batch) == OK, "segment");
    knowledge = (Knowledge){ .refs = 1, .schema = &SCHEMA, .default_path = LIT("public") };
    target = (Target){ .worker = &worker,
                       .fd = -1,
                       .knowledge = &knowledge,
                       .resource = &edition.config.policy.resources.at[0] };
    make_keeper();
}

static void make_session(Session *s, uint8_t number)
{
    static const uint8_t KEY[AEAD_KEY] = { 3 };
    static const Bytes GROUPS[] = { LIT_INIT("local/clinical") };
    const uint8_t key_id[LEAF_ID] = { number };

    *s = (Session){ .worker = &worker, .client_fd = -1, .server_fd = -1, .target = &target };
    s->phase = SESSION_OPEN;
    s->recorded = true;
    s->id.bytes[0] = number;
    s->who = (Identity){
        .kind = IDENTITY_HUMAN, .name = LIT("dana"), .groups = GROUPS, .group_count = 1
    };
    arena_init(&s->arena, 32 << 20);
    arena_init(&s->held_words, 16 << 10);
    buf_init(&s->receipts, 64 << 10);
    buf_init(&s->gate.wire.from_client, 1 << 20);
    buf_init(&s->gate.wire.to_server, 1 << 20);
    buf_init(&s->gate.wire.from_server, 1 << 20);
    buf_init(&s->gate.wire.to_client, 1 << 20);
    must(journal_key_init(&s->audit, KEY, key_id, 0) == OK &&
             journal_key_init(&s->content, KEY, key_id, 0) == OK,
         "keys");
    ruler_init(&s->ruler, siphash_key(KEY));
    s->ruler.policy = &worker.edition->config.policy;
    s->ruler.resource = target_resource(&target);
    s->ruler.identity = &s->who;
    s->ruler.session = &s->id;
    s->ruler.role = policy_role(s->ruler.policy, &s->who, s->ruler.resource);
    must(s->ruler.role != NULL, "role");
    must(target_view(&target, policy_profile(s->ruler.policy, s->ruler.role->masking), &s->view) ==
             OK,
         "view");
    must(budget_open(s) == OK, "budget");
    ports_begin(s);
    ports_connect(s);
}

/* --- the messages -------------------------------------------------------------------------------
 */

static void put(Buf *out, uint8_t tag, Bytes body)
{
    must(pg_message(out, tag, body) == OK, "message");
}

static const Bytes QUERY = LIT_INIT("SELECT abalance FROM pgbench_accounts WHERE aid = $1;");

static void parse(Buf *out)
{
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, 1024);
    must(buf_append(&body, LIT("P0_1\0")) == OK && buf_append(&body, QUERY) == OK &&
             buf_append(&body, LIT("\0\0\0")) == OK,
         "parse");
    put(out, 'P', buf_view(&body));
    put(out, 'S', (Bytes){ 0 });
}

static void run_prepared(Buf *out)
{
    put(out, 'B',
        LIT("\0P0_1\0\0\0\0\1\0\0\0\6"
            "123456\0\1\0\0"));
    put(out, 'D', LIT("P\0"));
    put(out, 'E', LIT("\0\0\0\0\0"));
    put(out, 'S', (Bytes){ 0 });
}

/* Another row each time, as pgbench asks: no text comes twice. */
static void run_simple(Buf *out)
{
    static unsigned account = 1000000;
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, 1024);
    must(text_format(&body, "SELECT abalance FROM pgbench_accounts WHERE aid = %u;", account++) ==
             OK,
         "text");
    must(buf_byte(&body, 0) == OK, "text");
    put(out, 'Q', buf_view(&body));
}

static void answer_simple(Buf *out)
{
    put(out, 'T',
        LIT("\0\1"
            "abalance\0\0\0\x40\x10\0\3\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"));
    put(out, 'D',
        LIT("\0\1\0\0\0\1"
            "0"));
    put(out, 'C', LIT("SELECT 1\0"));
    put(out, 'Z', LIT("I"));
}

static void answer_prepared(Buf *out)
{
    put(out, '2', (Bytes){ 0 });
    answer_simple(out);
}

static void answer_parse(Buf *out)
{
    put(out, '1', (Bytes){ 0 });
    put(out, 'Z', LIT("I"));
}

/* --- turns: all sessions ask, then all are answered ----------------------------------------------
 */

static void all(void (*ask)(Buf *), void (*answer)(Buf *))
{
    Worker *w = &worker;

    for (size_t i = 0; i < SESSIONS; i++) {
        ask(&sessions[i].gate.wire.from_client);
        session_step(&sessions[i]);
    }
    must(recorder_flush(&w->recorder, 1) == OK, "flush");
    for (size_t i = 0; i < SESSIONS; i++) {
        Wire *wire = &sessions[i].gate.wire;
        must(sessions[i].phase == SESSION_OPEN && buf_len(&wire->to_server) > 0,
             "a statement did not leave");
        buf_consume(&wire->to_server, buf_len(&wire->to_server));
        answer(&wire->from_server);
        session_step(&sessions[i]);
    }
    must(recorder_flush(&w->recorder, 1) == OK, "flush");
    for (size_t i = 0; i < SESSIONS; i++) {
        Gate *g = &sessions[i].gate;
        must(sessions[i].phase == SESSION_OPEN && g->written > 0, "an answer did not leave");
        gate_client_took(g, g->written);
    }
    while (recv(keeper_fd, (uint8_t[256]){ 0 }, 256, MSG_DONTWAIT) > 0)
        ;
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void measure(const char *mode, void (*ask)(Buf *), void (*answer)(Buf *), int turns)
{
    double best = 1;

    for (int i = 0; i < WARM / SESSIONS && turns == TURNS / SESSIONS; i++)
        all(ask, answer);
    for (int n = 0; n < 5; n++) {
        const double start = seconds();
        for (int i = 0; i < turns; i++)
            all(ask, answer);
        const double took = (seconds() - start) / turns / SESSIONS;
        best = took < best ? took : best;
    }
    printf("%s: %.2f us of the worker's own code for a query\n", mode, best * 1e6);
}

/* bench_turn [TURNS [prepared|simple]] */
int main(int argc, char **argv)
{
    const int turns = argc > 1 ? atoi(argv[1]) : TURNS / SESSIONS;
    const char *mode = argc > 2 ? argv[2] : "";

    make_worker();
    for (size_t i = 0; i < SESSIONS; i++)
        make_session(&sessions[i], (uint8_t)(i + 1));
    all(parse, answer_parse);
    if (strcmp(mode, "simple") != 0)
        measure("prepared", run_prepared, answer_prepared, turns);
    if (strcmp(mode, "prepared") != 0)
        measure("simple", run_simple, answer_simple, turns);
    return 0;
}
