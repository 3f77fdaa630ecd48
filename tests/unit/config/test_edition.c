/* What goes to all processes comes out as it went in; what a reload may not change is named. */
#include "base/text.h"
#include "config/edition.h"
#include "test.h"

#include <string.h>
#include <unistd.h>

static void it_is_read_as_it_was_sealed(void)
{
    const Edition sent = { 7, LIT("version: 1\n"), LIT("\0\1packed") };
    CLEANUP(buf_done) Buf bytes = { 0 };
    Edition read;
    int fd;

    EXPECT(edition_seal(&sent, &fd) == OK);
    EXPECT(write(fd, "x", 1) < 0);
    EXPECT(edition_read(fd, &bytes, &read) == OK);
    EXPECT(read.epoch == 7 && text_eq(read.yaml, sent.yaml));
    EXPECT(text_eq(read.public_files, sent.public_files));
    close(fd);
}

static void something_else_is_no_edition(void)
{
    CLEANUP(buf_done) Buf bytes = { 0 };
    Edition read;
    int ends[2];

    EXPECT(edition_read(-1, &bytes, &read) == ERR_IO);
    buf_done(&bytes);
    EXPECT(pipe(ends) == 0);
    EXPECT(edition_read(ends[0], &bytes, &read) == ERR_IO);
    close(ends[0]);
    close(ends[1]);
}

static void what_needs_a_start_is_named(void)
{
    const Bytes ops = LIT("ops");
    const Config running = { .gateway = { .workers = 2 } };
    Config fresh = running;

    EXPECT(edition_needs_restart(&running, &fresh) == NULL);
    fresh.gateway.hold_default_ms = 1;
    fresh.gateway.tls.cert = LIT("file:/cert");
    fresh.recording.budget.hour = 1;
    EXPECT(edition_needs_restart(&running, &fresh) == NULL);

#define CHANGED(member, value, name)                                                               \
    do {                                                                                           \
        Config c = running;                                                                        \
        c.member = value;                                                                          \
        const char *named = edition_needs_restart(&running, &c);                                   \
        EXPECT(named != NULL && strcmp(named, name) == 0);                                         \
    } while (0)
    CHANGED(gateway.listen.postgres.port, 1, "gateway.listen.postgres");
    CHANGED(gateway.listen.postgres.host, LIT("::1"), "gateway.listen.postgres");
    CHANGED(gateway.admin_socket, LIT("/a"), "gateway.admin_socket");
    CHANGED(gateway.listen.metrics.port, 9464, "gateway.listen.metrics");
    CHANGED(gateway.admin_users, ((Names){ &ops, 1 }), "gateway.admin_users");
    CHANGED(gateway.workers, 3, "gateway.workers");
    CHANGED(gateway.sandbox, SANDBOX_AUTO, "gateway.sandbox");
    CHANGED(storage.state, LIT("sqlite:/x"), "storage.state");
    CHANGED(storage.journal, LIT("/j"), "storage.journal");
    CHANGED(storage.root_key, LIT("auto"), "storage.root_key");
#undef CHANGED
}

static void a_target_is_where_and_as_whom(void)
{
    const Address at = { LIT("db"), 5432 }, host = { LIT("db2"), 5432 }, port = { LIT("db"), 5433 };
    const Address both[] = { at, host };
    const Resource a = { .name = LIT("ehr"),
                         .type = RESOURCE_POSTGRES,
                         .addresses = { &at, 1 },
                         .credentials = { LIT("gate"), LIT("file:/p"), MD5_REFUSE },
                         .tls = { TLS_VERIFY_FULL, LIT("file:/ca") } };
    Resource b = a;

    b.tls.ca = LIT("file:/other"); /* whom to believe is not where it is */
    b.labels = (Labels){ 0 };
    EXPECT(edition_same_target(&a, &b));
#define ANOTHER(member, value)                                                                     \
    do {                                                                                           \
        Resource c = a;                                                                            \
        c.member = value;                                                                          \
        EXPECT(!edition_same_target(&a, &c));                                                      \
    } while (0)
    ANOTHER(name, LIT("other"));
    ANOTHER(addresses, ((Addresses){ &host, 1 }));
    ANOTHER(addresses, ((Addresses){ &port, 1 }));
    ANOTHER(addresses, ((Addresses){ both, 2 }));
    ANOTHER(server, SERVER_PRIMARY);
    ANOTHER(pooler, POOLER_SESSION);
    ANOTHER(database, LIT("ehr2"));
    ANOTHER(credentials.user, LIT("root"));
    ANOTHER(credentials.password, LIT("file:/q"));
    ANOTHER(credentials.md5, MD5_ALLOW);
    ANOTHER(tls.mode, TLS_DISABLE);
#undef ANOTHER
}

int main(void)
{
    TEST(it_is_read_as_it_was_sealed);
    TEST(something_else_is_no_edition);
    TEST(what_needs_a_start_is_named);
    TEST(a_target_is_where_and_as_whom);
    return 0;
}
