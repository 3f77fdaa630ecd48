/* One call of the admin socket while it runs, and the table of calls. Private to keeper/.
 *
 * A call's function writes its result, one JSON document, or fails with words. */
#ifndef KEEPER_ADMIN_CALL_H
#define KEEPER_ADMIN_CALL_H

#include "base/json_write.h"
#include "keeper/approve.h"
#include "keeper/keeper_state.h"

/* Exit statuses of the command line. */
typedef enum AdminExit {
    ADMIN_DONE = 0,
    ADMIN_FAILED = 1,
    ADMIN_USAGE = 2,
    ADMIN_REFUSED = 3,
    ADMIN_SIGN_IN = 4,
    ADMIN_TARGET = 7,
} AdminExit;

/* Who may call; bits. */
typedef enum AdminWho {
    ADMIN_ADMINISTRATOR = 1 << 0, /* root, gateway.admin_users: by the kernel's word */
    ADMIN_IDENTITY = 1 << 1,      /* somebody of the store, by token or password */
    ADMIN_ANYBODY = ADMIN_ADMINISTRATOR | ADMIN_IDENTITY,
} AdminWho;

typedef struct AdminRun {
    Keeper *keeper;
    uint64_t call;
    Id console; /* the peer that asked */
    Arena arena;
    Bytes name, token; /* views of the message */
    PackList arguments;
    AdminWho who;      /* exactly one */
    Bytes caller;      /* "root", "ops", "dana" */
    Approver identity; /* ADMIN_IDENTITY only */
    Buf result;
    AdminExit exit_status;
    bool later; /* somebody else will finish it */
} AdminRun;

typedef Err AdminFn(AdminRun *run);

typedef struct AdminEntry {
    const char *name;
    AdminWho who;
    bool changes; /* then it is an admin.access record before it is done */
    AdminFn *fn;
} AdminEntry;

const AdminEntry *admin_entry(Bytes name); /* NULL: no such call */
/* May this caller make this call at all? */
bool admin_may(const AdminEntry *entry, AdminWho who);

/* The first argument of this key; empty: not given. */
Bytes admin_argument(const AdminRun *run, const char *key);
/* Of one key that may come several times: walk with *at zeroed. */
bool admin_next_argument(const AdminRun *run, const char *key, PackList *at, Bytes *ret);
uint64_t admin_argument_u64(const AdminRun *run, const char *key);
/* Sets exit status and words; returns ERR_REFUSED. */
Err admin_fail(AdminRun *run, AdminExit exit_status, const char *format, ...) PRINTF_LIKE(3, 4);
/* One row of a list. */
Err admin_part(AdminRun *run, Bytes json) MUST_CHECK;
/* Sends the result, frees what the run holds (not the run). */
void admin_finish(AdminRun *run);
/* Writes the call down as an admin.access record. */
Err admin_record_access(AdminRun *run) MUST_CHECK;
/* Does the call, as `run->caller`: authorises, records, runs. The result is in `run`. */
void admin_do(AdminRun *run);

/* admin_sign_in.c: who is it? ERR_REFUSED: words are set. `fd` is the client's socket. */
Err admin_sign_in(AdminRun *run, int fd) MUST_CHECK;

/* Of the user named by `key`, who must exist. */
Err admin_user_argument(AdminRun *run, const char *key, StoreUser *ret) MUST_CHECK;
/* Makes a token for `user`; shown once, in *ret_token (40 bytes). */
Err admin_make_token(AdminRun *run, const StoreUser *user, uint64_t expires_ns,
                     char ret_token[40]) MUST_CHECK;
Err admin_result_ok(AdminRun *run) MUST_CHECK; /* {"ok": true} */

AdminFn admin_status, admin_whoami, admin_checkpoint, admin_explain, admin_reload,
    admin_config_running, admin_drain, admin_drain_end, admin_drain_state;
AdminFn admin_user_add, admin_user_ls, admin_user_passwd, admin_user_disable, admin_user_enable,
    admin_user_rm, admin_user_groups;
AdminFn admin_agent_add, admin_agent_ls, admin_agent_show, admin_agent_pause, admin_agent_resume,
    admin_agent_delete, admin_agent_token;
AdminFn admin_token_create, admin_token_ls, admin_token_revoke;
AdminFn admin_approvals, admin_approve, admin_deny, admin_request_ls, admin_request_show,
    admin_request_withdraw;
AdminFn admin_session_ls, admin_session_show, admin_session_kill, admin_session_read;

#endif
