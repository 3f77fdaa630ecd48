#include "base/text.h"
#include "config/config.h"
#include "config/scalar.h"
#include "example.h"
#include "test.h"

typedef struct Loaded {
    Arena arena;
    Config config;
    Problems problems;
    Err err;
} Loaded;

static Loaded *load(const char *yaml)
{
    Loaded *l = calloc(1, sizeof *l);

    EXPECT(l != NULL);
    arena_init(&l->arena, CONFIG_ARENA_BYTES);
    l->err = config_load(text_of(yaml), &l->arena, &l->config, &l->problems);
    return l;
}

static void done(Loaded *l)
{
    arena_done(&l->arena);
    free(l);
}

static bool shows(const Loaded *l, const char *part)
{
    Buf out;

    buf_init(&out, 1 << 20);
    EXPECT(config_show(&l->config, &out) == OK);
    const bool found = text_find(buf_view(&out), text_of(part)) < buf_len(&out);
    buf_done(&out);
    return found;
}

static void the_example_is_read(void)
{
    Loaded *l = load(EXAMPLE);
    const Policy *p = &l->config.policy;

    EXPECT(l->err == OK && l->problems.count == 0);
    EXPECT(l->config.gateway.hold_default_ms == 600000 && p->hold_default_ms == 600000);
    EXPECT(l->config.gateway.listen.postgres.port == 6432);
    EXPECT(l->config.retention.audit_ms == 189216000000);
    EXPECT(p->resources.count == 1 && resource_is_phi(&p->resources.at[0]));
    EXPECT(text_eq(p->resources.at[0].credentials.password, LIT("file:/etc/chaperone/ehr")));
    EXPECT(p->roles.count == 3 && p->roles.at[0].purpose_required);
    EXPECT(p->roles.at[0].predicates == PREDICATES_EQUALITY);
    EXPECT(p->roles.at[0].allow.at[0].actions == (EFFECT_READ | EFFECT_WRITE));
    EXPECT(p->roles.at[1].allow.at[0].tables.count == 2);
    EXPECT(text_eq(p->roles.at[1].allow.at[0].tables.at[0].schema, LIT("triage")));
    EXPECT(p->profiles.count == 1 && p->profiles.at[0].rules.count == 5);
    EXPECT(p->profiles.at[0].rules.at[0].method == MASK_PSEUDONYM);
    EXPECT(p->profiles.at[0].rules.at[0].columns.at[1].table.len == 0);
    EXPECT(p->guardrails.at[0].match.statements ==
           (1u << STATEMENT_DELETE | 1u << STATEMENT_UPDATE));
    EXPECT(p->approvals.at[0].wait == WAIT_HOLD_THEN_TICKET);
    EXPECT(p->approvals.at[0].grant.valid_ms == 900000);
    done(l);
}

static void what_is_left_out_has_its_default(void)
{
    Loaded *l = load("version: 1\n");

    EXPECT(l->err == OK && l->problems.count == 0);
    EXPECT(text_eq(l->config.gateway.admin_socket, LIT("/var/lib/chaperone/admin.sock")));
    EXPECT(l->config.gateway.sandbox == SANDBOX_REQUIRED && l->config.gateway.workers == 0);
    EXPECT(l->config.limits.row == 1 << 20 && l->config.limits.client_message == 16 << 20);
    EXPECT(l->config.identity.local && text_eq(l->config.storage.root_key, LIT("auto")));
    EXPECT(shows(l, "\"workers\":null") && shows(l, "\"postgres\":\"127.0.0.1:6432\""));
    done(l);
}

static void show_is_canonical(void)
{
    Loaded *a = load("version: 1\nresources:\n- {name: x, type: postgres, address: \"[::1]:5432\", "
                     "credentials: {user: u, password: env:P}, tls: {mode: disable}, labels: {b: "
                     "\"1\", a: \"2\"}}\nretention: {audit: 6y}\n");
    Loaded *b =
        load("retention:\n  audit: 2190d\nresources:\n  - labels:\n      a: 2\n      b: 1\n "
             "   type: postgres\n    tls: {mode: disable}\n    name: x\n    credentials: "
             "{password: env:P, user: u}\n    address: '[::1]:5432'\nversion: 1\n");
    Buf one, two;

    EXPECT(a->err == OK && b->err == OK);
    buf_init(&one, 1 << 16);
    buf_init(&two, 1 << 16);
    EXPECT(config_show(&a->config, &one) == OK && config_show(&b->config, &two) == OK);
    EXPECT(text_eq(buf_view(&one), buf_view(&two)));
    EXPECT(shows(a, "\"labels\":{\"a\":\"2\",\"b\":\"1\"}") && shows(a, "\"[::1]:5432\""));
    EXPECT(shows(a, "\"password\":\"env:P\""));
    buf_done(&one);
    buf_done(&two);
    done(a);
    done(b);
}

static void every_setting_is_shown(void)
{
    static const char *const CHANGES[][2] = {
        { "hold_default: 10m", "hold_default: 11m" },
        { "count: 1", "count: 2" },
        { "where: absent", "where: present" },
        { "[delete, update]", "[delete]" },
        { "\"*.patient_mrn\"", "\"*.patient_mrm\"" },
        { "classes: [name,", "classes: [sex," },
        { "predicates: equality", "predicates: any" },
        { "evidence: read", "evidence: none" },
        { "root_key: auto", "root_key: file:/k" },
        { "triage.visit, patient", "triage.visit, patients" },
    };
    Loaded *base = load(EXAMPLE);
    Buf first, text, changed;

    buf_init(&first, 1 << 16);
    EXPECT(config_show(&base->config, &first) == OK);
    for (size_t i = 0; i < COUNT_OF(CHANGES); i++) {
        const Bytes from = text_of(CHANGES[i][0]), all = text_of(EXAMPLE);
        const size_t at = text_find(all, from);

        buf_init(&text, 1 << 16);
        buf_init(&changed, 1 << 16);
        EXPECT(at < all.len);
        EXPECT(text_format(&text, "%.*s%s%s", (int)at, EXAMPLE, CHANGES[i][1],
                           EXAMPLE + at + from.len) == OK);
        EXPECT(buf_byte(&text, '\0') == OK);
        Loaded *l = load((const char *)buf_view(&text).ptr);

        EXPECT(l->err == OK && config_show(&l->config, &changed) == OK);
        EXPECT(!text_eq(buf_view(&first), buf_view(&changed)));
        done(l);
        buf_done(&text);
        buf_done(&changed);
    }
    buf_done(&first);
    done(base);
}

static void problems_print_like_a_compiler(void)
{
    const char *yaml = "version: 1\nroles:\n  - name: a\n    membres: [\"user:dana\"]\n";
    const char *want =
        "x.yaml:3:5: error: `members` is missing in roles[]\n  - name: a\n    ^\n"
        "x.yaml:3:11: warning: this role gives nothing: no `allow`, `review` or `evidence`\n"
        "  - name: a\n          ^\n"
        "x.yaml:4:5: error: unknown key `membres` in roles[]; did you mean `members`?\n"
        "    membres: [\"user:dana\"]\n    ^~~~~~~\n";
    Loaded *l = load(yaml);
    Buf out;

    buf_init(&out, 1 << 16);
    EXPECT(l->err == ERR_MALFORMED && l->problems.errors == 2);
    EXPECT(problems_print(&l->problems, text_of(yaml), "x.yaml", &out) == OK);
    EXPECT(text_eq(buf_view(&out), text_of(want)));
    buf_done(&out);
    done(l);
}

static void many_problems_are_counted(void)
{
    Buf text;

    buf_init(&text, 1 << 16);
    EXPECT(text_format(&text, "version: 1\n") == OK);
    for (int i = 0; i < 150; i++)
        EXPECT(text_format(&text, "key%d: 1\n", i) == OK);
    EXPECT(buf_byte(&text, '\0') == OK);
    Loaded *l = load((const char *)buf_view(&text).ptr);

    EXPECT(l->err == ERR_MALFORMED && l->problems.errors == 150);
    EXPECT(l->problems.count == PROBLEMS_MAX && l->problems.dropped == 50);
    buf_done(&text);
    done(l);
}

static void any_allocation_may_fail(void)
{
    for (size_t budget = 0; budget < 60000; budget += 97) {
        Arena arena;
        Config config;
        static Problems problems;

        arena_init(&arena, budget);
        const Err err = config_load(text_of(EXAMPLE), &arena, &config, &problems);
        EXPECT(err == OK || err == ERR_LIMIT);
        arena_done(&arena);
    }
}

static void units_are_exact(void)
{
    uint64_t v;
    Address a;

    EXPECT(scalar_duration(LIT("500ms"), &v) == OK && v == 500);
    EXPECT(scalar_duration(LIT("24h"), &v) == OK && v == 86400000);
    EXPECT(scalar_duration(LIT("10"), &v) == ERR_MALFORMED);
    EXPECT(scalar_duration(LIT("m"), &v) == ERR_MALFORMED);
    EXPECT(scalar_duration(LIT("1 m"), &v) == ERR_MALFORMED);
    EXPECT(scalar_duration(LIT("-1m"), &v) == ERR_MALFORMED);
    EXPECT(scalar_duration(LIT("99999999999999999999y"), &v) == ERR_LIMIT);
    EXPECT(scalar_duration(LIT("18446744073709551615y"), &v) == ERR_LIMIT);
    EXPECT(scalar_size(LIT("64MiB"), &v) == OK && v == 64 << 20);
    EXPECT(scalar_size(LIT("64MB"), &v) == ERR_MALFORMED);
    EXPECT(scalar_address(LIT("[::1]:5432"), &a) == OK && text_eq(a.host, LIT("::1")));
    EXPECT(address_is_loopback(&a));
    EXPECT(scalar_address(LIT("127.evil.example:1"), &a) == OK && !address_is_loopback(&a));
    EXPECT(scalar_address(LIT("127.0.0.1:0"), &a) == ERR_MALFORMED);
    EXPECT(scalar_address(LIT("127.0.0.1:65536"), &a) == ERR_MALFORMED);
    EXPECT(scalar_address(LIT("::1:5432"), &a) == ERR_MALFORMED);
}

static void the_schema_is_json_and_complete(void)
{
    Buf out;

    buf_init(&out, 1 << 20);
    EXPECT(config_schema(&out) == OK);
    EXPECT(text_find(buf_view(&out), LIT("\"additionalProperties\":false")) < buf_len(&out));
    EXPECT(text_find(buf_view(&out), LIT("\"hold-then-ticket\"")) < buf_len(&out));
    EXPECT(text_find(buf_view(&out), LIT("\"sinks\"")) == buf_len(&out));
    buf_done(&out);
}

int main(void)
{
    TEST(the_example_is_read);
    TEST(what_is_left_out_has_its_default);
    TEST(show_is_canonical);
    TEST(every_setting_is_shown);
    TEST(problems_print_like_a_compiler);
    TEST(many_problems_are_counted);
    TEST(any_allocation_may_fail);
    TEST(units_are_exact);
    TEST(the_schema_is_json_and_complete);
    return 0;
}
