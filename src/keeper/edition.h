/* What the keeper knows of one edition of the configuration: the rules, their hash, and the
 * certificate and key that go with them. Immutable once made.
 *
 *     PREPARE ──▶ prepared ── RECORD_CHANGE: config.change on disk ── COMMIT ──▶ edition
 *                    └── ABANDON: freed                                            └─ older …
 *
 * A worker takes a COMMIT a moment before or after us, and a handshake or sign-in under way goes
 * by the edition that it began with: questions name theirs, and one that was left is kept for 20 s.
 */
#ifndef KEEPER_EDITION_H
#define KEEPER_EDITION_H

#include "base/arena.h"
#include "config/edition.h"
#include "crypto/hash.h"
#include "keeper/handshake.h"

/* A sign-in has 15 s. */
enum { EDITIONS_MAX = 64, EDITION_KEPT_S = 20 };

typedef struct KeeperEdition {
    struct KeeperEdition *older;
    uint64_t epoch, since_ns, since_mono_ns; /* since_ns: unix */
    Arena arena;
    Config config;
    Buf policy_text; /* config_show() */
    Buf yaml;        /* the file it was */
    Hash policy_hash;
    Handshakes handshakes;
    Hash clients_hash, revoked_hash; /* of the files of gateway.tls.client_ca and client_crl */
    size_t signing;                  /* signatures under way with its key */
} KeeperEdition;

struct Keeper;

/* ERR_*: *why says it, for people; what `e` refers to is read here for the first time. */
Err keeper_edition_make(const Edition *e, uint64_t now_unix_ns, KeeperEdition **ret,
                        Buf *why) MUST_CHECK;
/* At a start a secret may be missing still; in a reload all must be there. Nothing is kept. */
Err keeper_edition_check_secrets(const KeeperEdition *e, Buf *why) MUST_CHECK;
void keeper_edition_free(KeeperEdition *e); /* NULL is fine */
/* Of that epoch: the one in force, one before it, or the prepared one; NULL: not here. */
KeeperEdition *keeper_edition_of(const struct Keeper *k, uint64_t epoch);
/* In force from now on. */
void keeper_edition_enter(struct Keeper *k, KeeperEdition *e);
/* The config.change record, on disk when it returns. The whole text each time it is another one
 * than the journal ends with: the journal holds the policy's history. `asked_by` empty: a start. */
Err keeper_edition_record(struct Keeper *k, const KeeperEdition *e, Bytes asked_by) MUST_CHECK;
void keeper_editions_done(struct Keeper *k);

/* What the supervisor says of an edition; `fd` is borrowed. */
Err keeper_edition_prepare(struct Keeper *k, Bytes body, int fd) MUST_CHECK;
Err keeper_edition_record_change(struct Keeper *k, Bytes body, bool *ret_recorded) MUST_CHECK;
Err keeper_edition_commit(struct Keeper *k, Bytes body) MUST_CHECK;
Err keeper_edition_abandon(struct Keeper *k, Bytes body) MUST_CHECK;

#endif
