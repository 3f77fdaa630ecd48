/* The keeper: secrets, keys, verifiers, approvals, the store and the ledger's signing key.
 *
 * Answers a table of questions (model/ask.h); parses no wire protocol. Everybody who talks to
 * it has a channel of their own, made by the supervisor, and may ask what the table says. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

/* `writer_hex`: 32 hex digits, under which this start writes its records. */
int keeper_main(const char *writer_hex);

#endif
