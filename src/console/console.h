/* The console: parses what comes from the admin socket and passes it to the keeper, which alone
 * authenticates, authorises and acts. Holds no secret and decides nothing.
 *
 *     client → console   length u32 | {"call": "user.ls", "token": "", "args": {"key": "text"}}
 *     console → client   length u32 | {"part": …}                       none or more
 *                        length u32 | {"exit": 0, "result": …}          or "error": {"message": …}
 *
 * Lengths are big-endian and count the JSON. An argument's value is a text or a list of texts.
 * The client's descriptor goes with the call: the keeper asks the kernel who that is. */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

int console_main(void);

#endif
