/* Every bound that a peer can meet, with its reason. */
#ifndef MODEL_LIMITS_H
#define MODEL_LIMITS_H

enum {
    LIMIT_STARTUP = 10000,           /* bytes of a startup packet: PostgreSQL's own bound */
    LIMIT_CLIENT_MESSAGE = 16 << 20, /* a client message is judged whole */
    LIMIT_STATEMENT = 1 << 20,       /* bytes of one SQL text */
    LIMIT_OPEN_TOKENS = 2000,        /* libpg_query overflows 8 MiB of stack at 5,000 */
    LIMIT_LOOP_STATEMENT = 4096,     /* longer or deeper is parsed on the parser thread */
    LIMIT_LOOP_TOKENS = 500,
    LIMIT_ROW = 1 << 20,           /* rows are held whole up to here */
    LIMIT_HELD_TEXT = 64 << 10,    /* a person reads it before approving */
    LIMIT_RECORD = 64 << 10,       /* plain bytes of one journal record */
    LIMIT_STATEMENT_NAMES = 4096,  /* prepared statements, portals, cursors of a session */
    LIMIT_BIND_VALUES = 65535,     /* the protocol's int16 count */
    LIMIT_IPC_MESSAGE = 128 << 10, /* SOCK_SEQPACKET: 256 KiB is EMSGSIZE */
};

#endif
