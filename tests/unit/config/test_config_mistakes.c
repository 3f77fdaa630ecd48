/* A corpus of mistakes: each must be told at its line and column, in words that help. */
#include "base/text.h"
#include "config/config.h"
#include "test.h"

#define V   "version: 1\n"
#define DB1 "{name: ehr, type: postgres, address: \"127.0.0.1:5432\", credentials: {user: u, "
#define DB2 "password: file:/p}, tls: {mode: disable}}"
#define EHR "resources: [" DB1 DB2 "]\n"
#define ROLE_A                                                                                     \
    "roles: [{name: a, members: [\"user:d\"], allow: [{resources: [ehr], actions: [read]}]"

typedef struct Mistake {
    const char *yaml;
    const char *place; /* "line:column" */
    const char *text;
    bool warning;
} Mistake;

static const Mistake MISTAKES[] = {
    /* The file as YAML */
    { "", "1:1", "must be a mapping that begins with", false },
    { "# nothing\n", "1:1", "must be a mapping", false },
    { "[1, 2]\n", "1:1", "must be a mapping", false },
    { "hello\n", "1:1", "must be a mapping", false },
    { V "gateway: {listen: {postgres: \"x\"}\n", "3:1", "not YAML", false },
    { V "\tgateway: 1\n", "2:1", "not YAML", false },
    { V "gateway: 'x\n", "3:1", "not YAML", false },
    { "version: 1\n---\nversion: 1\n", "2:1", "one document only", false },
    { "%YAML 1.1\n---\nversion: 1\n", "1:1", "directives are not allowed", false },
    { "version: !!int 1\n", "1:10", "tags are not allowed", false },
    { "version: !x 1\n", "1:10", "tags are not allowed", false },
    { V "gateway: &a {workers: 1}\n", "2:10", "anchors and aliases", false },
    { V "gateway: *a\n", "2:10", "anchors and aliases", false },
    { V "gateway: {<<: {workers: 1}}\n", "2:11", "merge keys are not allowed", false },
    { V "gateway: {workers: 1, workers: 2}\n", "2:23", "duplicate key `workers`", false },
    { "version: 1\nversion: 1\n", "2:1", "the first one is on line 1", false },
    { V "? [a]\n: 1\n", "2:3", "a key must be plain text", false },
    { V "gateway: {public_url: \xff}\n", "2:1", "not valid UTF-8", false },
    { V "gateway: {public_url: \xE2\x80\xA8}\n", "2:23", "line feed", false },
    { "version: 1\rgateway: {}\n", "1:11", "line feed", false },
    { V "sinks: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]\n", "2:19", "nested too deeply", false },
    { V "gateway: {tls: {cert: file:/c, key: file:/k, client_crl: file:/r}}\n", "2:58",
      "`client_crl` needs `client_ca", false },
    { V "gateway: {tls: {cert: file:/c, key: file:/k, client_exempt: [agent]}}\n", "2:62",
      "`client_exempt` needs `client_ca", false },
    { V "gateway: {tls: {cert: file:/c, key: file:/k, client_ca: file:/k}}\n", "2:57",
      "this file is the key's", false },
    { V "gateway: {tls: {cert: file:/c, key: file:/k, client_ca: file:/a, client_exempt: "
        "[people]}}\n",
      "2:82", "must be `human`, `agent`, `service`", false },
    /* Keys and types */
    { "gateway: {}\n", "1:1", "`version` is missing in the file", false },
    { "version: 2\n", "1:10", "`version` is too large", false },
    { "version: 0\n", "1:10", "`version` is too small", false },
    { "version: \"1\"\n", "1:10", "without quotes", false },
    { "version: one\n", "1:10", "must be a whole number", false },
    { "version:\n", "1:9", "`version` has no value", false },
    { V "gatway: {}\n", "2:1", "unknown key `gatway` in the file; did you mean `gateway`?", false },
    { V "nonsense_entirely: {}\n", "2:1", "unknown key `nonsense_entirely`", false },
    { V "gateway: []\n", "2:10", "`gateway` must be a mapping", false },
    { V "gateway: 1\n", "2:10", "`gateway` must be a mapping", false },
    { V "roles: {}\n", "2:8", "`roles` must be a list", false },
    { V "roles: [1]\n", "2:9", "must be a list of mappings", false },
    { V "gateway: {workers: [1]}\n", "2:20", "must be one value", false },
    { V "gateway: {workers: 0}\n", "2:20", "`workers` is too small", false },
    { V "gateway: {workers: 1.5}\n", "2:20", "must be a whole number", false },
    { V "gateway: {workers: 99999999999999999999}\n", "2:20", "is too large", false },
    { V "gateway: {hold_default: 10}\n", "2:25", "duration with its unit", false },
    { V "gateway: {hold_default: 22:30}\n", "2:25", "duration with its unit", false },
    { V "gateway: {hold_default: 25h}\n", "2:25", "is too large", false },
    { V "limits: {row: 1MB}\n", "2:15", "size with its unit", false },
    { V "limits: {row: 64MiB}\n", "2:15", "`row` is too large", false },
    { V "identity: {local: yes}\n", "2:19", "must be `true` or `false`", false },
    { V "identity: {local: \"true\"}\n", "2:19", "without quotes", false },
    { V "identity: {local: off}\n", "2:19", "must be `true` or `false`", false },
    { V "identity: {local: false}\n", "2:19", "nobody could sign in", false },
    { V "gateway: {admin_users: ops}\n", "2:24", "must be a list", false },
    { V "gateway: {admin_users: [[ops]]}\n", "2:25", "list of plain values", false },
    { V "gateway: {admin_users: [\"o ps\"]}\n", "2:25", "must be a name", false },
    { V "gateway: {sandbox: maybe}\n", "2:20", "it is one of: required, auto", false },
    { V "gateway: {sandbox: requierd}\n", "2:20", "did you mean `required`?", false },
    { V "gateway: {admin_socket: admin.sock}\n", "2:25", "must be an absolute path", false },
    { V "gateway: {public_url: gate.example}\n", "2:23", "must begin with `https://`", false },
    { V "gateway: {listen: {postgres: \"6432\"}}\n", "2:30", "must be `HOST:PORT`", false },
    { V "gateway: {listen: {postgres: \":6432\"}}\n", "2:30", "must be a loopback address", false },
    { V "gateway: {listen: {postgres: \"10.0.0.1:6432\"}}\n", "2:30", "loopback", false },
    /* TLS towards clients: both files or none */
    { V "gateway: {tls: {}}\n", "2:16", "`cert` is missing in gateway.tls", false },
    { V "gateway: {tls: {cert: file:/c}}\n", "2:16", "`key` is missing in gateway.tls", false },
    { V "gateway: {tls: {key: file:/k}}\n", "2:16", "`cert` is missing in gateway.tls", false },
    { V "gateway: {tls: {cert: /c, key: file:/k}}\n", "2:23", "must name a file by its absolute",
      false },
    { V "gateway: {tls: {cert: \"env:C\", key: file:/k}}\n", "2:23", "must name a file", false },
    { V "gateway: {tls: {cert: file:/c, key: hunter2}}\n", "2:37", "never the secret itself",
      false },
    { V "gateway: {tls: {cert: file:/c, key: file:k}}\n", "2:37", "absolute path", false },
    { V "gateway: {tls: {cert: file:/c, key: file:/c}}\n", "2:37", "must be two files", false },
    { V "gateway: {tls: {cert: file:/c, key: file:/k, ciphers: x}}\n", "2:46",
      "unknown key `ciphers`", false },
    { V "gateway: {tls: [a]}\n", "2:16", "`tls` must be a mapping", false },
    { V "gateway: {tls: {cert: file:/c}, listen: {postgres: \":6432\"}}\n", "2:16",
      "`key` is missing", false },
    /* What is not there yet */
    { V "sinks: []\n", "2:1", "`sinks` is not available in this version", false },
    { V "gateway: {listen: {https: \":443\"}}\n", "2:20", "`https` is not available", false },
    { V "identity: {providers: []}\n", "2:12", "`providers` is not available", false },
    { V "storage: {recordings: /x}\n", "2:11", "`recordings` is not available", false },
    { V "storage: {state: postgres://x}\n", "2:18", "PostgreSQL store", false },
    { V "storage: {root_key: systemd-cred:k}\n", "2:21", "not available in this version", false },
    { V "storage: {root_key: hunter2}\n", "2:21", "never the key itself", false },
    { V "recording: {budget: {hour: 1KiB}}\n", "2:28", "`hour` is too small", false },
    { V "recording: {budget: {hour: 5}}\n", "2:28", "size with its unit", false },
    { V "recording: {watermarks: {reads: 100}}\n", "2:33", "`reads` is too large", false },
    { V "recording: {watermarks: {reads: 70}}\n", "2:33", "must not be above `reads`", false },
    { V "recording: {watermarks: {sessions: 95}}\n", "2:36", "must not be above", false },
    { V "retention: {legal_hold: []}\n", "2:13", "not available", false },
    { V "resources: [{name: b, type: mysql}]\n", "2:29", "`type: mysql` is not available", false },
    /* Resources */
    { V "resources: [{type: postgres}]\n", "2:13", "`name` is missing in resources[]", false },
    { V "resources: [{name: \"a b\"}]\n", "2:20", "must be a name", false },
    { V "resources: [{type: postgers}]\n", "2:20", "did you mean `postgres`?", false },
    { V "resources: [{tls: {}}]\n", "2:19", "`verify-full` needs `ca: file:/PATH`", false },
    { V "resources: [{tls: {mode: verify-full}}]\n", "2:26", "`verify-full` needs `ca", false },
    { V "resources: [{tls: {mode: verify-ca}}]\n", "2:26", "`mode: verify-ca` is not available",
      false },
    { V "resources: [{tls: {mode: require}}]\n", "2:26", "`mode: require` is not available",
      false },
    { V "resources: [{tls: {mode: verify_full}}]\n", "2:26", "did you mean `verify-full`?", false },
    { V "resources: [{tls: {ca: /etc/ca.pem}}]\n", "2:24", "must name a file by its absolute path",
      false },
    { V "resources: [{tls: {ca: \"env:CA\"}}]\n", "2:24", "must name a file by its absolute path",
      false },
    { V "resources: [{tls: {mode: disable, ca: file:/ca}}]\n", "2:39",
      "`ca` belongs to `mode: verify-full` only", false },
    { V "resources: [{address: \"db:5432\"}]\n", "2:13", "`tls` is missing in resources[]", false },
    { V "resources: [{credentials: {password: hunter2}}]\n", "2:38", "never the secret itself",
      false },
    { V "resources: [{credentials: {password: vault:x}}]\n", "2:38", "not available", false },
    { V "resources: [{credentials: {password: file:x}}]\n", "2:38", "absolute path", false },
    { V "resources: [{credentials: {password: \"env:A B\"}}]\n", "2:38", "`env:NAME`", false },
    { V "resources: [{address: \"db:5432\", tls: {mode: disable}}]\n", "2:23",
      "without TLS only a loopback", false },
    { V "resources: [{address: \":5432\", tls: {mode: disable}}]\n", "2:23", "must name a host",
      false },
    { V "resources: [{address: \"a:1,\"}]\n", "2:23", "with commas between", false },
    { V "resources: [{address: \"a:1 b:2\"}]\n", "2:23", "with commas between", false },
    { V "resources: [{address: \"a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8,i:9\"}]\n", "2:23",
      "more than 8 addresses", false },
    { V "resources: [{address: \"a:1, b:2, A:1\"}]\n", "2:23", "the same one twice", false },
    { V "resources: [{address: \"127.0.0.1:1, b:2\", tls: {mode: disable}}]\n", "2:23",
      "only a loopback address", false },
    { V "resources: [{address: \"127.0.0.1:6432\"}]\n", "2:23", "the gateway's own address",
      false },
    { V "resources: [{labels: {phi: true}}]\n", "2:28", "must be `yes` or `no`", false },
    { V "resources: [{labels: [a]}]\n", "2:22", "must be a mapping", false },
    { V "resources: [{labels: {a: [b]}}]\n", "2:26", "mapping of names to texts", false },
    { V "resources: [{name: a}, {name: a}]\n", "2:31", "there is another resource `a` on line 2",
      false },
    /* Roles */
    { V "roles: [{name: a}]\n", "2:9", "`members` is missing in roles[]", false },
    { V "roles: [{members: [dana]}]\n", "2:20", "must be `user:NAME`", false },
    { V "roles: [{members: [\"group:okta/x\"]}]\n", "2:20", "identity provider", false },
    { V "roles: [{members: [\"user:\"]}]\n", "2:20", "does not name anybody", false },
    { V "roles: [{allow: [{resources: [], actions: [read]}]}]\n", "2:30", "is an empty list",
      false },
    { V EHR "roles: [{allow: [{resources: [ehd], actions: [read]}]}]\n", "3:31",
      "there is no resource `ehd`; did you mean `ehr`?", false },
    { V "roles: [{allow: [{actions: [reed]}]}]\n", "2:29", "did you mean `read`?", false },
    { V "roles: [{allow: [{tables: [\"a.b.c\"]}]}]\n", "2:28", "must be `table` or", false },
    { V "roles: [{allow: [{tables: [\"enc*\"]}]}]\n", "2:28", "`*` stands for a whole part",
      false },
    { V EHR ROLE_A ", masking: analyst}]\n", "3:95", "there is no masking profile `analyst`",
      false },
    { V EHR ROLE_A ", predicates: al}]\n", "3:98", "it is one of: none, token", false },
    { V EHR ROLE_A ", predicates: any}]\n", "3:98", "about 30 queries", true },
    { V EHR ROLE_A ", predicates: token}]\n", "3:98", "not translated in this version", true },
    { V EHR ROLE_A ", budget: {}}]\n", "3:86", "`budget` is not available", false },
    { V "roles: [{name: a, members: []}]\n", "2:16", "this role gives nothing", true },
    /* Masking */
    { V "masking: {profiles: [{rules: []}]}\n", "2:22", "`name` is missing", false },
    { V "masking: {profiles: [{rules: [{columns: [ssn], method: null}]}]}\n", "2:42",
      "must be `table.column`", false },
    { V "masking: {profiles: [{rules: [{columns: [\"a..b\"], method: null}]}]}\n", "2:42",
      "must be `table.column`", false },
    { V "masking: {profiles: [{rules: [{columns: [a.b]}]}]}\n", "2:31", "`method` is missing",
      false },
    { V "masking: {profiles: [{rules: [{columns: [a.b], method: hash}]}]}\n", "2:56",
      "it is one of: clear, null, redact", false },
    { V "masking: {profiles: [{rules: [{columns: [a.b], method: scrub}]}]}\n", "2:56",
      "`method: scrub` is not available", false },
    { V "masking: {profiles: [{rules: [{method: null}]}]}\n", "2:40",
      "needs either `columns` or `classes`", false },
    { V "masking: {profiles: [{rules: [{columns: [a.b], classes: [ssn], method: null}]}]}\n",
      "2:72", "needs either `columns` or `classes`", false },
    { V "masking: {profiles: [{rules: [{classes: [name], method: pseudonym}]}]}\n", "2:41",
      "pseudonyms of class `name` can be told", false },
    { V "masking: {profiles: [{rules: [{columns: [patient.zip], method: pseudonym}]}]}\n", "2:42",
      "`zip` looks like a zip", false },
    { V "masking: {profiles: [{rules: [{columns: [p.birth_date], method: pseudonym}]}]}\n", "2:42",
      "looks like a date", false },
    { V "masking: {profiles: [{rules: [{columns: [a.b], method: null, scope: x}]}]}\n", "2:69",
      "`scope` belongs to", false },
    { V "masking: {profiles: [{rules: [{columns: [a.b], method: pseudonym, prefix: mrn}]}]}\n",
      "2:75", "upper-case letters", false },
    { V "masking: {profiles: [{unclassified: scan}]}\n", "2:37", "not available", false },
    /* Guardrails and approvals */
    { V "guardrails: [{name: g, match: {}}]\n", "2:21", "would refuse every statement", false },
    { V "guardrails: [{name: g, match: {statement: [drop]}}]\n", "2:44", "it is one of: select",
      false },
    { V "guardrails: [{name: g, match: {statement: [select], where: absent}}]\n", "2:60",
      "can never match", true },
    { V "guardrails: [{name: g, resources: [x], match: {effect: [ddl]}}]\n", "2:36",
      "there is no resource `x`", false },
    { V "approvals: [{name: w, when: {}, ask: {group: nobody}}]\n", "2:46",
      "there is no role `nobody`", false },
    { V "approvals: [{name: w, when: {}, ask: {group: okta/x}}]\n", "2:46", "identity provider",
      false },
    { V "approvals: [{ask: {group: local/x, count: 0}}]\n", "2:43", "is too small", false },
    { V "approvals: [{ask: {group: local/x, not_self: false}}]\n", "2:46",
      "always another person's", false },
    { V "approvals: [{grant: {scope: session}}]\n", "2:29", "`scope: session` is not available",
      false },
    { V "approvals: [{wait: forever}]\n", "2:20", "it is one of: hold-then-ticket", false },
    { V "approvals: [{when: {requested: emergency}}]\n", "2:21", "not available", false },
    { V "roles: [{name: p, members: [\"agent:x\"], evidence: read}]\n"
        "approvals: [{name: w, when: {}, ask: {group: p}}]\n",
      "3:46", "can never be given", true },
    { V "roles: [{name: p, members: [\"user:x\"], evidence: read}]\n"
        "approvals: [{name: w, when: {}, ask: {group: p, count: 2}}]\n",
      "3:46", "has 1 people, 2 needed", true },
    { V "retention: {audit: 1y}\n", "2:20", "asks for six years", true },
};

static bool is_told(const Problems *problems, const Mistake *m)
{
    unsigned line = 0, column = 0;

    EXPECT(sscanf(m->place, "%u:%u", &line, &column) == 2);
    for (size_t i = 0; i < problems->count; i++) {
        const Problem *p = &problems->at[i];

        if (p->place.line == line && p->place.column == column && p->warning == m->warning &&
            text_find(p->text, text_of(m->text)) < p->text.len)
            return true;
    }
    return false;
}

static void print_all(const Problems *problems, const Mistake *m)
{
    Buf out;

    buf_init(&out, 1 << 20);
    EXPECT(problems_print(problems, text_of(m->yaml), m->text, &out) == OK);
    fprintf(stderr, "wanted %s \"%s\" of:\n%s\ngot:\n%.*s\n", m->place, m->text, m->yaml,
            SHOW(buf_view(&out)));
    buf_done(&out);
}

static void every_mistake_is_told_at_its_place(void)
{
    static Problems problems;
    size_t wrong = 0;

    for (size_t i = 0; i < COUNT_OF(MISTAKES); i++) {
        Arena arena;
        Config config;

        arena_init(&arena, CONFIG_ARENA_BYTES);
        const Err err = config_load(text_of(MISTAKES[i].yaml), &arena, &config, &problems);

        if (!is_told(&problems, &MISTAKES[i])) {
            print_all(&problems, &MISTAKES[i]);
            wrong++;
        }
        EXPECT(err == OK || err == ERR_MALFORMED);
        EXPECT((err == OK) == (problems.errors == 0));
        arena_done(&arena);
    }
    printf("%zu mistakes\n", COUNT_OF(MISTAKES));
    EXPECT(wrong == 0);
}

static void a_secret_is_never_repeated(void)
{
    static Problems problems;
    const Bytes yaml = LIT(V "resources: [{credentials: {password: hunter2}}]\n");
    Arena arena;
    Config config;

    arena_init(&arena, CONFIG_ARENA_BYTES);
    EXPECT(config_load(yaml, &arena, &config, &problems) == ERR_MALFORMED);
    for (size_t i = 0; i < problems.count; i++)
        EXPECT(text_find(problems.at[i].text, LIT("hunter2")) == problems.at[i].text.len);
    arena_done(&arena);
}

int main(void)
{
    TEST(every_mistake_is_told_at_its_place);
    TEST(a_secret_is_never_repeated);
    return 0;
}
