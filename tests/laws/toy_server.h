/* A PostgreSQL server of the toy language: real message shapes, real behaviour around errors,
 * implicit transactions, names and portals, as measured on PostgreSQL 15. */
#ifndef TOY_SERVER_H
#define TOY_SERVER_H

#include "base/buf.h"

enum { TOY_NAMES = 64, TOY_TEXT = 256 };

typedef struct ToyText {
    size_t len;
    uint8_t text[TOY_TEXT];
} ToyText;

typedef struct ToyPortal {
    bool used, holds, kept, binary;
    ToyText name, text;
    uint32_t sent;
} ToyPortal;

typedef struct ToyServer {
    Buf in, out;
    uint8_t status;
    bool skipping;
    uint8_t copying; /* 'Q', 'E': who is answered when the data of COPY ends; 0: nobody */
    struct {
        bool used;
        ToyText name, text;
    } statements[TOY_NAMES];
    ToyPortal portals[TOY_NAMES];
    Buf pending, committed; /* what was inserted, each with a blank behind it */
    Buf executed;           /* texts that ran, each with a newline behind it */
    size_t messages;
} ToyServer;

void toy_server_init(ToyServer *s);
void toy_server_done(ToyServer *s);
/* Takes bytes in, appends answers to s->out. Aborts where the gateway sent no message. */
void toy_server_take(ToyServer *s, Bytes bytes);

#endif
