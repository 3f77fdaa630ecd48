#include "model/verdict.h"

const char *ruling_name(Ruling ruling)
{
    switch (ruling) {
    case RULING_ALLOW:
        return "allow";
    case RULING_HOLD:
        return "hold";
    case RULING_DENY:
        break;
    }
    return "deny";
}
