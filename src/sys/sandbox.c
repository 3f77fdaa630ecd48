#include "sys/sandbox.h"

#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- Landlock (https://docs.kernel.org/userspace-api/landlock.html) ----------------------- */

static const uint64_t READS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t ALL_ABI1 =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;
static const uint64_t WRITES = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                               LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                               LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                               LANDLOCK_ACCESS_FS_MAKE_REG;

int sandbox_landlock_abi(void)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi > 0 ? (int)abi : 0;
}

static Err add_path(int ruleset, const SandboxPath *p)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = p->writable ? WRITES : READS };
    const int fd = open(p->path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return ERR_IO;
    rule.parent_fd = fd;
    const long err = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
    return err == 0 ? OK : ERR_IO;
}

static Err restrict_files(int ruleset, const SandboxPath *paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(add_path(ruleset, &paths[i]));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return ERR_IO;
    return OK;
}

Err sandbox_files(const SandboxPath *paths, size_t count)
{
    const struct landlock_ruleset_attr rules = { .handled_access_fs = ALL_ABI1 };

    if (sandbox_landlock_abi() == 0)
        return ERR_IO;
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (ruleset < 0)
        return ERR_IO;
    const Err err = restrict_files(ruleset, paths, count);
    close(ruleset);
    return err;
}

/* --- seccomp ---------------------------------------------------------------------------------- */

bool sandbox_has_seccomp(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static Err allow(scmp_filter_ctx filter, const char *name)
{
    const int number = seccomp_syscall_resolve_name(name);

    if (number < 0)
        return OK; /* not a call of this machine's kind */
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0 ? OK : ERR_IO;
}

/* ioctl: FIONBIO, which libuv uses; never a terminal's. */
static bool allow_ioctl(scmp_filter_ctx f)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, FIONBIO)) == 0;
}

/* fcntl: never F_SETFL, which could take O_APPEND from a journal. The keeper's store locks. */
static bool allow_fcntl(scmp_filter_ctx f, SandboxRole role)
{
    static const int ANY[] = { F_GETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC };
    static const int LOCKS[] = { F_SETLK, F_SETLKW, F_GETLK, F_OFD_SETLK, F_OFD_GETLK };
    bool ok = true;

    for (size_t i = 0; i < COUNT_OF(ANY); i++)
        ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)ANY[i], 0)) == 0;
    for (size_t i = 0; role == SANDBOX_KEEPER && i < COUNT_OF(LOCKS); i++)
        ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                                    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)LOCKS[i], 0)) == 0;
    return ok;
}

/* Memory is never executable, and in a worker never shared with a file. */
static bool allow_memory(scmp_filter_ctx f, SandboxRole role)
{
    const scmp_datum_t shared = role == SANDBOX_KEEPER ? 0 : MAP_SHARED;

    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                            SCMP_A3(SCMP_CMP_MASKED_EQ, shared, 0)) == 0 &&
           seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                            SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

/* An abort's: of our own threads, never another process's. */
static bool allow_tgkill(scmp_filter_ctx f)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)) == 0;
}

static Err fill(scmp_filter_ctx filter, SandboxRole role)
{
    size_t count;
    const SandboxCall *calls = sandbox_calls_table(&count);

    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0)
        return ERR_IO;
    for (size_t i = 0; i < count; i++)
        if ((calls[i].roles & role) != 0)
            TRY(allow(filter, calls[i].name));
    if (!allow_tgkill(filter) || !allow_ioctl(filter) || !allow_fcntl(filter, role) ||
        !allow_memory(filter, role))
        return ERR_IO;
    return seccomp_load(filter) == 0 ? OK : ERR_IO;
}

Err sandbox_calls(SandboxRole role)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (filter == NULL)
        return ERR_LIMIT;
    const Err err = fill(filter, role);
    seccomp_release(filter);
    return err;
}

/* --- a process's two steps ------------------------------------------------------------------- */

static Err missing(const SandboxState *s, Err err, const char *part)
{
    log_line(s->optional ? LOG_WARN : LOG_ERROR, "sandbox", "%s cannot be entered: %s", part,
             strerror(errno));
    return s->optional ? OK : err;
}

Err sandbox_enter_files(SandboxState *s, const SandboxPath *paths, size_t count)
{
    const Err err = sandbox_files(paths, count);

    if (err != OK)
        return missing(s, err, "Landlock");
    s->landlock_abi = (uint8_t)sandbox_landlock_abi();
    return OK;
}

Err sandbox_enter_calls(SandboxState *s, SandboxRole role)
{
    const Err err = sandbox_calls(role);

    if (err != OK)
        return missing(s, err, "seccomp");
    s->seccomp = true;
    return OK;
}
