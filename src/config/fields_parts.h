/* How rows of the table of fields are written. Private to config/. */
#ifndef CONFIG_FIELDS_PARTS_H
#define CONFIG_FIELDS_PARTS_H

#include "config/fields.h"

#include "config/config.h"

#define MS_SECOND 1000ull
#define MS_MINUTE (60 * MS_SECOND)
#define MS_HOUR   (60 * MS_MINUTE)
#define MS_DAY    (24 * MS_HOUR)
#define MS_YEAR   (365 * MS_DAY)

#define RECORD(fields_of, struct_type, where, words)                                               \
    {                                                                                              \
        .path = where, .size = sizeof(struct_type), .fields = fields_of,                           \
        .count = COUNT_OF(fields_of), .doc = words                                                 \
    }
#define CHOICES(list)                                                                              \
    {                                                                                              \
        .at = list, .count = COUNT_OF(list)                                                        \
    }
#define AT(struct_type, member) .offset = offsetof(struct_type, member)
#define LATER(name, words)                                                                         \
    {                                                                                              \
        .key = name, .type = FIELD_LATER, .doc = words                                             \
    }

extern const Record RESOURCE_RECORD, ROLE_RECORD, MASKING_RECORD, GUARDRAIL_RECORD, APPROVAL_RECORD;

#endif
