/* Commands about the configuration and the host. */
#include "cli/command.h"

#include "base/text.h"
#include "config/public_files.h"
#include "supervisor/supervisor.h"
#include "sys/clock.h"
#include "sys/descriptors.h"
#include "sys/file.h"
#include "sys/tls_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

enum { DOCUMENT_MAX = 4 << 20, LANDLOCK_VERSION_FLAG = 1 };

int command_serve(Cli *c)
{
    return supervisor_serve(c->word_count > 0 ? c->words[0] : c->config_path);
}

/* --- config ------------------------------------------------------------------------------- */

int command_config_validate(Cli *c)
{
    CLEANUP(buf_done) Buf yaml = { 0 };
    CLEANUP(buf_done) Buf words = { 0 };
    const char *path = c->word_count > 0 ? c->words[0] : c->config_path;
    Problems problems = { 0 };

    buf_init(&yaml, CONFIG_BYTES_MAX);
    buf_init(&words, DOCUMENT_MAX);
    if (file_read_all(path, &yaml) != OK)
        return cli_say(EXIT_USAGE, "cannot read %s: %s", path, strerror(errno));
    const Err err = config_load(buf_view(&yaml), &c->arena, &c->config, &problems);
    if (problems_print(&problems, buf_view(&yaml), path, &words) == OK)
        (void)fprintf(stderr, "%.*s", SHOW(buf_view(&words)));
    if (err != OK)
        return EXIT_USAGE;
    (void)fprintf(stderr, "%s is valid\n", path);
    return EXIT_DONE;
}

static int print_document(Err err, const Buf *document)
{
    if (err != OK)
        return cli_say(EXIT_FAILED, "out of memory");
    (void)printf("%.*s\n", SHOW(buf_view(document)));
    return EXIT_DONE;
}

int command_config_show(Cli *c)
{
    CLEANUP(buf_done) Buf document = { 0 };

    if (!cli_config(c))
        return EXIT_USAGE;
    buf_init(&document, DOCUMENT_MAX);
    return print_document(config_show(&c->config, &document), &document);
}

int command_config_schema(Cli *c)
{
    CLEANUP(buf_done) Buf document = { 0 };

    (void)c;
    buf_init(&document, DOCUMENT_MAX);
    return print_document(config_schema(&document), &document);
}

int command_config_reference(Cli *c)
{
    CLEANUP(buf_done) Buf document = { 0 };

    (void)c;
    buf_init(&document, DOCUMENT_MAX);
    return print_document(config_reference(&document), &document);
}

/* --- doctor ------------------------------------------------------------------------------- */

enum { DESCRIPTORS_ENOUGH = 4096 };

typedef struct Finding {
    bool good;
    char words[512];
} Finding;

static Finding check_config_file(Cli *c)
{
    Finding f = { .good = cli_config(c) };

    (void)snprintf(f.words, sizeof f.words, "configuration %s", c->config_path);
    return f;
}

static Finding check_journal(Cli *c)
{
    Finding f = { 0 };
    const char *path;

    if (c->config.version == 0 || arena_string(&c->arena, c->config.storage.journal, &path) != OK) {
        (void)snprintf(f.words, sizeof f.words, "journal folder: not known");
        return f;
    }
    f.good = access(path, R_OK | W_OK | X_OK) == 0 || errno == ENOENT;
    (void)snprintf(f.words, sizeof f.words, "journal folder %s%s", path,
                   errno == ENOENT && f.good ? " (made at the first start)" : "");
    return f;
}

/* The key is looked at where we may: it is the keeper's. */
static void check_key(Cli *c, Bytes chain, Finding *f)
{
    static const Bytes FILE_PREFIX = LIT_INIT("file:");
    const Bytes reference = c->config.gateway.tls.key;
    CLEANUP(buf_done) Buf key = { 0 };
    const char *path, *why;
    TlsKey *pair = NULL;

    buf_init(&key, 64 << 10);
    if (!text_starts(reference, FILE_PREFIX) ||
        arena_string(&c->arena, bytes_from(reference, FILE_PREFIX.len), &path) != OK ||
        file_read_all(path, &key) != OK)
        return;
    if (tls_key_new(buf_view(&key), chain, &pair, &why) != OK) {
        f->good = false;
        (void)snprintf(f->words, sizeof f->words, "certificate: %s", why);
    }
    tls_key_free(pair);
}

static void check_chain(Cli *c, Bytes chain, Finding *f)
{
    enum { DAYS_MIN = 14, DAY_S = 86400 };
    const uint64_t now = clock_now().unix_ns / 1000000000;
    TlsCertificate certificate;
    const char *why;

    if (tls_certificate_read(chain, &certificate, &why) != OK) {
        (void)snprintf(f->words, sizeof f->words, "certificate: %s", why);
        return;
    }
    const bool ended = certificate.not_after_s <= now;
    const uint64_t days = ended ? 0 : (certificate.not_after_s - now) / DAY_S;
    f->good = !ended && days >= DAYS_MIN;
    (void)snprintf(f->words, sizeof f->words, "certificate %s%llu days",
                   ended ? "has expired, " : "expires in ", (unsigned long long)days);
    check_key(c, chain, f);
}

static Finding check_certificate(Cli *c)
{
    Finding f = { .good = true, .words = "certificate: no TLS towards clients" };
    CLEANUP(buf_done) Buf files = { 0 };
    const char *path = "";

    if (c->config.gateway.tls.cert.len == 0)
        return f;
    f.good = false;
    buf_init(&files, PUBLIC_FILES_MAX);
    if (public_files_read(&c->config, &c->arena, &files, &path) != OK)
        (void)snprintf(f.words, sizeof f.words, "certificate: %s cannot be read", path);
    else
        check_chain(c, public_file(buf_view(&files), c->config.gateway.tls.cert), &f);
    return f;
}

/* `when`, in seconds: ended, soon, or how long yet. */
static bool lasts(const char *what, uint64_t when_s, Finding *f)
{
    enum { DAYS_MIN = 14, DAY_S = 86400 };
    const uint64_t now = clock_now().unix_ns / 1000000000;
    const bool ended = when_s <= now;
    const uint64_t days = ended ? 0 : (when_s - now) / DAY_S;

    if (when_s == 0)
        return true;
    const size_t at = strlen(f->words);
    (void)snprintf(f->words + at, sizeof f->words - at,
                   ended ? ", %s has ended" : ", %s ends in %llu days", what,
                   (unsigned long long)days);
    return !ended && days >= DAYS_MIN;
}

static Finding check_clients(Cli *c)
{
    const ServerTls *tls = &c->config.gateway.tls;
    Finding f = { .good = true, .words = "client certificates: not asked for" };
    CLEANUP(buf_done) Buf files = { 0 };
    const char *path = "", *why = "";
    TlsCertificate authority;
    uint64_t next_s = 0;

    if (tls->client_ca.len == 0)
        return f;
    buf_init(&files, PUBLIC_FILES_MAX);
    (void)snprintf(f.words, sizeof f.words, "client certificates");
    f.good = public_files_read(&c->config, &c->arena, &files, &path) == OK;
    if (!f.good) {
        (void)snprintf(f.words, sizeof f.words, "client certificates: %s cannot be read", path);
        return f;
    }
    const Bytes ca = public_file(buf_view(&files), tls->client_ca);
    const Bytes crl = public_file(buf_view(&files), tls->client_crl);
    f.good = tls_certificate_read(ca, &authority, &why) == OK &&
             (crl.len == 0 || tls_revoked_read(crl, &next_s, &why) == OK);
    if (!f.good) {
        (void)snprintf(f.words, sizeof f.words, "client certificates: %s", why);
        return f;
    }
    const bool first = lasts("an authority", authority.first_end_s, &f);
    f.good = lasts("a revocation list", next_s, &f) && first;
    return f;
}

static Finding check_volume(Cli *c)
{
    const Watermarks *marks = &c->config.recording.watermarks;
    Finding f = { .words = "room for the journal: not known" };
    unsigned percent;
    const char *path;

    if (c->config.version == 0 || arena_string(&c->arena, c->config.storage.journal, &path) != OK)
        return f;
    if (volume_use(path, &percent) != OK) {
        f.good = errno == ENOENT; /* made at the first start */
        return f;
    }
    f.good = percent < marks->sessions;
    (void)snprintf(f.words, sizeof f.words, "the journal's volume is %u %% full%s", percent,
                   percent >= marks->reads ? ": large answers are refused"
                   : f.good                ? ""
                                           : ": the largest writers get no new sessions");
    return f;
}

static Finding check_landlock(Cli *c)
{
    Finding f = { 0 };

    (void)c;
#ifdef SYS_landlock_create_ruleset
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
#else
    const long abi = -1;
#endif
    f.good = abi > 0;
    (void)snprintf(f.words, sizeof f.words, "Landlock, ABI %ld", abi);
    return f;
}

static Finding check_seccomp(Cli *c)
{
    CLEANUP(buf_done) Buf actions = { 0 };
    Finding f = { .words = "seccomp filters" };

    (void)c;
    buf_init(&actions, 4096);
    f.good = file_read_all("/proc/sys/kernel/seccomp/actions_avail", &actions) == OK &&
             text_find(buf_view(&actions), LIT("errno")) < buf_len(&actions);
    return f;
}

static Finding check_memfd(Cli *c)
{
    Finding f = { .words = "sealed memory files" };
    CLEANUP(file_done) File file = { .fd = -1 };

    (void)c;
    f.good = memfd_sealed("doctor", LIT("x"), &file.fd) == OK;
    return f;
}

static Finding check_clock(Cli *c)
{
    static const uint64_t TOO_EARLY_NS = UINT64_C(1700000000) * 1000000000;
    struct timex state = { 0 };
    const int sync = adjtimex(&state);
    Finding f = { .good = clock_now().unix_ns > TOO_EARLY_NS };

    (void)c;
    (void)snprintf(f.words, sizeof f.words, "clock%s",
                   sync == TIME_ERROR ? " (the kernel does not know of a time source)" : "");
    return f;
}

static Finding check_descriptors(Cli *c)
{
    const uint64_t most = descriptors_most();
    Finding f = { .good = most >= DESCRIPTORS_ENOUGH };

    (void)c;
    (void)snprintf(f.words, sizeof f.words, "%llu open files allowed: %zu sessions for each worker",
                   (unsigned long long)most, descriptors_sessions(most));
    return f;
}

int command_doctor(Cli *c)
{
    static Finding (*const CHECKS[])(Cli * c) = { check_config_file, check_journal, check_volume,
                                                  check_certificate, check_clients, check_landlock,
                                                  check_seccomp,     check_memfd,   check_clock,
                                                  check_descriptors };
    int status = EXIT_DONE;

    for (size_t i = 0; i < COUNT_OF(CHECKS); i++) {
        const Finding f = CHECKS[i](c);

        (void)printf("%-4s %s\n", f.good ? "ok" : "FAIL", f.words);
        status = f.good ? status : EXIT_FAILED;
    }
    return status;
}
