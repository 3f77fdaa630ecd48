/* The configuration file: strict YAML in, settings and Policy out, every mistake at its place.
 *
 * One table of fields (config/fields.h) is the loader, `config show`, the JSON Schema and the
 * reference. Nothing is guessed: a scalar becomes what the field's type says; an unknown key is
 * an error, and so is a known one that this version cannot honour. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/problem.h"
#include "policy/policy.h"

enum {
    CONFIG_BYTES_MAX = 1 << 20,
    CONFIG_ARENA_BYTES = 64 << 20, /* enough for any file of CONFIG_BYTES_MAX */
};

typedef enum Sandbox { SANDBOX_REQUIRED = 0, SANDBOX_AUTO } Sandbox;
typedef enum Results { RESULTS_FULL = 0 } Results;
typedef enum DiskFull { DISK_FULL_REFUSE = 0 } DiskFull;

typedef struct Listen {
    Address postgres; /* other than loopback only with TLS */
    Address metrics;  /* loopback; port 0: none */
} Listen;

/* Both references, or both empty: no TLS towards clients. */
typedef struct ServerTls {
    Bytes cert, key;
    Bytes client_ca;  /* empty: clients are asked for no certificate */
    Bytes client_crl; /* empty: none is revoked */
    Names client_exempt;
} ServerTls;

typedef struct Gateway {
    Bytes public_url; /* empty: links are left out of messages */
    Listen listen;
    Bytes admin_socket;
    Names admin_users;
    uint64_t hold_default_ms;
    uint64_t workers; /* 0: one for each core */
    Sandbox sandbox;
    ServerTls tls;
} Gateway;

typedef struct Limits {
    uint64_t row, client_message; /* bytes, at most LIMIT_ROW and LIMIT_CLIENT_MESSAGE */
} Limits;

typedef struct Storage {
    Bytes state;        /* "sqlite:/var/lib/chaperone/state.db" */
    Bytes journal;      /* directory */
    Bytes recovery_key; /* "x25519:…"; empty: no backups */
    Bytes root_key;     /* "auto": made at first start beside the state; or a secret reference */
} Storage;

typedef struct SignIn {
    bool local;
} SignIn;

/* Bytes of the journal that one identity may cause on one resource. */
typedef struct RecordingBudget {
    uint64_t hour, day;
} RecordingBudget;

/* So much above a budget, in refusals and their like, and sessions end: 1 MiB and an eighth. */
static inline uint64_t budget_end(uint64_t limit)
{
    return limit + limit / 8 + (1 << 20);
}

/* Percent of the journal's volume in use. */
typedef struct Watermarks {
    uint64_t sessions, reads;
} Watermarks;

typedef struct Recording {
    Results results;
    DiskFull on_disk_full;
    RecordingBudget budget;
    Watermarks watermarks;
} Recording;

typedef struct Retention {
    uint64_t recordings_ms, audit_ms;
} Retention;

typedef struct Config {
    uint64_t version;
    Gateway gateway;
    Limits limits;
    Storage storage;
    SignIn identity;
    Policy policy;
    Recording recording;
    Retention retention;
} Config;

/* Not on loopback: no client without TLS. */
bool gateway_requires_tls(const Gateway *g);

/* ERR_MALFORMED: *ret_problems says what; it is set in any case, warnings included. ERR_LIMIT:
 * the file is too large or memory ran out. Everything lives in `arena`; `yaml` may go. */
Err config_load(Bytes yaml, Arena *arena, Config *ret, Problems *ret_problems) MUST_CHECK;

/* Canonical JSON of all settings, defaults filled in, keys in the table's order, secrets by
 * reference: equal policies give equal bytes. The policy hash is its SHA-256. */
Err config_show(const Config *config, Buf *out) MUST_CHECK;
/* JSON Schema 2020-12 and the reference page, both from the table of fields. */
Err config_schema(Buf *out) MUST_CHECK;
Err config_reference(Buf *out) MUST_CHECK;
/* chaperone.yaml(5), from the same table. */
Err config_manual(Buf *out) MUST_CHECK;

#endif
