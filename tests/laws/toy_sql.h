/* A language small enough for tests, understood alike by the toy gate and the toy server.
 *
 *     select a,b        one row        rows a,b          three rows
 *     insert x          takes part in the transaction
 *     prepare n as T, execute n, deallocate n|all, declare c [hold] for T, fetch c, close c|all
 *     begin, commit, rollback, savepoint, rollbackto, discard all, set search_path x
 *     copy T, copycsv T, copybin T     the rows of T as COPY TO the client
 *     copyin          takes COPY data, and inserts it
 *     copen c T, cprep n T     a function that makes a cursor or statement behind our back
 *     fail, leak, failparse    errors: when run, when run (with data in its text), at Parse
 *     deny…, hold…, local…     what the toy gate thinks of it; the server takes hold… as select id
 *
 * Columns: ssn is to be masked and holds CANARY; grow is masked by something longer; gone becomes
 * NULL; never is refused by the plan, forgotten by the mask; nul is NULL; calc is computed;
 * anything else is "7". */
#ifndef TOY_SQL_H
#define TOY_SQL_H

#include "model/meaning.h"

#define CANARY "123-45-6789"

enum { TOY_STATEMENTS = 8 };

typedef struct ToySql {
    StatementKind kind;
    Bytes whole, word, name, inner;
    bool holds;
} ToySql;

/* Statements between semicolons; at most TOY_STATEMENTS. */
size_t toy_split(Bytes text, ToySql ret[TOY_STATEMENTS]);
/* The next item of a comma list; false at the end. */
bool toy_column(Bytes *rest, Bytes *ret);

#endif
