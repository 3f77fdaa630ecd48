/* A word that the asker sees and the approver is shown: "is this the one you mean?" It guards
 * against mistakes, not against attackers. */
#ifndef KEEPER_CHECK_WORD_H
#define KEEPER_CHECK_WORD_H

#include "base/base.h"

typedef struct CheckWord {
    char text[16];
} CheckWord;

/* "BIRCH-47" */
CheckWord check_word(const uint8_t random[2]);

#endif
