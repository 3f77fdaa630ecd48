/* The table of fields: everything that may stand in a configuration file.
 *
 * Loader, `config show`, JSON Schema and reference are all walks over it, so that a field
 * cannot be accepted and not shown, or documented and not loaded. Adding a setting is adding
 * a member to a struct and a row here. */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include "base/buf.h"

typedef enum FieldType {
    FIELD_TEXT,      /* Bytes */
    FIELD_BOOL,      /* bool */
    FIELD_COUNT,     /* uint64_t */
    FIELD_DURATION,  /* uint64_t, ms */
    FIELD_SIZE,      /* uint64_t, bytes */
    FIELD_CHOICE,    /* an enum, from `choices` */
    FIELD_FLAGS,     /* list; unsigned, bits from `choices` */
    FIELD_KINDS,     /* list; uint64_t, 1 << value from `choices` */
    FIELD_ADDRESS,   /* Address */
    FIELD_ADDRESSES, /* one text, commas between; Addresses */
    FIELD_TEXTS,     /* list; Names */
    FIELD_TABLES,    /* list; NamePatterns */
    FIELD_COLUMNS,   /* list; NamePatterns */
    FIELD_LABELS,    /* mapping of any keys; Labels */
    FIELD_OBJECT,    /* struct of `record`, in place */
    FIELD_OBJECTS,   /* list; { const T *at; size_t count; } of `record` */
    FIELD_LATER,     /* known, but not in this version: an error */
} FieldType;

/* What a text must look like. */
typedef enum TextForm {
    FORM_TEXT, /* anything but nothing */
    FORM_NAME, /* letters, digits, - _ . ; at most 63 */
    FORM_NAME_OR_ALL,
    FORM_MEMBER,       /* user:NAME, agent:NAME, service:NAME, group:local/NAME */
    FORM_EXEMPT,       /* human, agent, service, or as FORM_MEMBER */
    FORM_GROUP,        /* a role's name, or local/NAME */
    FORM_SECRET,       /* file:/PATH or env:NAME */
    FORM_FILE,         /* file:/PATH: nothing secret */
    FORM_ROOT_KEY,     /* auto or file:/PATH */
    FORM_STATE,        /* sqlite:/PATH */
    FORM_PATH,         /* absolute */
    FORM_URL,          /* http:// or https:// */
    FORM_RECOVERY_KEY, /* x25519: and 64 hex digits */
    FORM_PREFIX,       /* 1 to 8 upper-case letters and digits */
} TextForm;

typedef struct Choice {
    const char *name;
    unsigned value;
    bool later; /* known, but not in this version */
} Choice;

typedef struct Choices {
    const Choice *at;
    size_t count;
    bool all; /* FIELD_FLAGS: "*" means every one */
} Choices;

typedef struct Record Record;

typedef struct Field {
    const char *key;
    FieldType type;
    bool required;
    bool may_be_empty; /* lists of scalars: `[]` means what leaving it out means */
    size_t offset;
    const char *standard; /* the default, as one would write it; NULL: none, so zero */
    TextForm form;
    uint64_t min, max; /* FIELD_COUNT, FIELD_DURATION, FIELD_SIZE */
    const Choices *choices;
    const Record *record;
    const char *doc;
} Field;

struct Record {
    const char *path; /* "roles[].allow[]"; empty: the file itself */
    size_t size;
    const Field *fields;
    size_t count;
    const char *doc;
};

extern const Record CONFIG_RECORD;

const char *text_form_doc(TextForm form);
/* What a value may be, in words; `code` between backticks. */
Err field_type_doc(const Field *f, Buf *out) MUST_CHECK;
bool field_is_list(FieldType type);

#endif
