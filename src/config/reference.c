/* What the table of fields says, for editors (JSON Schema) and for people (Markdown). */
#include "base/json_write.h"
#include "base/text.h"
#include "config/config.h"
#include "config/fields.h"

#define NAME_PATTERN "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,62}$"

static const char *form_pattern(TextForm form)
{
    switch (form) {
    case FORM_TEXT:
        return NULL;
    case FORM_NAME:
        return NAME_PATTERN;
    case FORM_NAME_OR_ALL:
        return "^([*]|[A-Za-z0-9_-][A-Za-z0-9_.-]{0,62})$";
    case FORM_MEMBER:
        return "^(user:|agent:|service:|group:local/).+$";
    case FORM_EXEMPT:
        return "^(human|agent|service|(user:|agent:|service:|group:local/).+)$";
    case FORM_GROUP:
        return "^(local/)?[A-Za-z0-9_-][A-Za-z0-9_.-]{0,62}$";
    case FORM_SECRET:
        return "^(file:/|env:).+$";
    case FORM_FILE:
        return "^file:/.+$";
    case FORM_ROOT_KEY:
        return "^(auto|file:/.+)$";
    case FORM_STATE:
        return "^sqlite:/.+$";
    case FORM_PATH:
        return "^/";
    case FORM_URL:
        return "^https?://.";
    case FORM_RECOVERY_KEY:
        return "^x25519:[0-9a-f]{64}$";
    case FORM_PREFIX:
        return "^[A-Z][A-Z0-9]{0,7}$";
    }
    return NULL;
}

static void put_text_type(Json *j, const char *pattern)
{
    json_write_string(j, "type", LIT("string"));
    if (pattern != NULL)
        json_write_string(j, "pattern", text_of(pattern));
    else
        json_write_u64(j, "minLength", 1);
}

static void put_enum(Json *j, const Choices *choices)
{
    json_write_array(j, "enum");
    for (size_t i = 0; i < choices->count; i++)
        if (!choices->at[i].later)
            json_write_string(j, NULL, text_of(choices->at[i].name));
    if (choices->all)
        json_write_string(j, NULL, LIT("*"));
    json_write_array_end(j);
}

static void put_record(Json *j, const Record *r);

static void put_items(Json *j, const Field *f)
{
    json_write_string(j, "type", LIT("array"));
    if (!f->may_be_empty && f->type != FIELD_OBJECTS)
        json_write_u64(j, "minItems", 1);
    json_write_object(j, "items");
    if (f->type == FIELD_OBJECTS)
        put_record(j, f->record);
    else if (f->type == FIELD_TEXTS)
        put_text_type(j, form_pattern(f->form));
    else if (f->type == FIELD_TABLES)
        put_text_type(j, "^([^.*]+|[*])([.]([^.*]+|[*]))?$");
    else if (f->type == FIELD_COLUMNS)
        put_text_type(j, "^([^.*]+|[*])([.]([^.*]+|[*])){1,2}$");
    else
        put_enum(j, f->choices);
    json_write_object_end(j);
}

static void put_type(Json *j, const Field *f)
{
    switch (f->type) {
    case FIELD_TEXT:
        put_text_type(j, form_pattern(f->form));
        return;
    case FIELD_BOOL:
        json_write_string(j, "type", LIT("boolean"));
        return;
    case FIELD_COUNT:
        json_write_string(j, "type", LIT("integer"));
        json_write_u64(j, "minimum", f->min);
        json_write_u64(j, "maximum", f->max);
        return;
    case FIELD_DURATION:
        put_text_type(j, "^[0-9]+(ms|s|m|h|d|y)$");
        return;
    case FIELD_SIZE:
        put_text_type(j, "^[0-9]+(B|KiB|MiB|GiB)$");
        return;
    case FIELD_ADDRESS:
    case FIELD_ADDRESSES:
        put_text_type(j, ":[0-9]{1,5}$");
        return;
    case FIELD_CHOICE:
        put_enum(j, f->choices);
        return;
    case FIELD_FLAGS:
    case FIELD_KINDS:
    case FIELD_TEXTS:
    case FIELD_TABLES:
    case FIELD_COLUMNS:
    case FIELD_OBJECTS:
        put_items(j, f);
        return;
    case FIELD_LABELS:
        json_write_string(j, "type", LIT("object"));
        json_write_object(j, "additionalProperties");
        put_text_type(j, NULL);
        json_write_object_end(j);
        return;
    case FIELD_OBJECT:
        put_record(j, f->record);
        return;
    case FIELD_LATER:
        break;
    }
}

/* Recursion goes as deep as the table of fields. */
static void put_record(Json *j, const Record *r)
{
    json_write_string(j, "type", LIT("object"));
    json_write_bool(j, "additionalProperties", false);
    json_write_array(j, "required");
    for (size_t i = 0; i < r->count; i++)
        if (r->fields[i].required)
            json_write_string(j, NULL, text_of(r->fields[i].key));
    json_write_array_end(j);
    json_write_object(j, "properties");
    for (size_t i = 0; i < r->count; i++) {
        const Field *f = &r->fields[i];

        if (f->type == FIELD_LATER)
            continue;
        json_write_object(j, f->key);
        json_write_string(j, "description", text_of(f->doc));
        put_type(j, f);
        json_write_object_end(j);
    }
    json_write_object_end(j);
}

Err config_schema(Buf *out)
{
    Json j = json_write_begin(out);

    json_write_object(&j, NULL);
    json_write_string(&j, "$schema", LIT("https://json-schema.org/draft/2020-12/schema"));
    json_write_string(&j, "title", LIT("chaperone configuration, version 1"));
    put_record(&j, &CONFIG_RECORD);
    json_write_object_end(&j);
    return json_write_end(&j);
}

static Err put_choices_doc(const Choices *choices, Buf *out)
{
    const char *comma = "";

    for (size_t i = 0; i < choices->count; i++) {
        if (choices->at[i].later)
            continue;
        TRY(text_format(out, "%s`%s`", comma, choices->at[i].name));
        comma = ", ";
    }
    return choices->all ? text_format(out, "%s`*`", comma) : OK;
}

Err field_type_doc(const Field *f, Buf *out)
{
    switch (f->type) {
    case FIELD_TEXT:
        return text_format(out, "%s", text_form_doc(f->form));
    case FIELD_BOOL:
        return text_format(out, "`true` or `false`");
    case FIELD_COUNT:
        return text_format(out, "number");
    case FIELD_DURATION:
        return text_format(out, "duration: `500ms`, `15s`, `10m`, `24h`, `30d`, `6y`");
    case FIELD_SIZE:
        return text_format(out, "size: `4096B`, `64KiB`, `16MiB`");
    case FIELD_CHOICE:
        return put_choices_doc(f->choices, out);
    case FIELD_FLAGS:
    case FIELD_KINDS:
        TRY(text_format(out, "list of "));
        return put_choices_doc(f->choices, out);
    case FIELD_ADDRESS:
        return text_format(out, "`HOST:PORT`");
    case FIELD_ADDRESSES:
        return text_format(out, "`HOST:PORT`, or several with commas between");
    case FIELD_TEXTS:
        return text_format(out, "list: %s", text_form_doc(f->form));
    case FIELD_TABLES:
    case FIELD_COLUMNS:
        return text_format(out, "list of patterns");
    case FIELD_LABELS:
        return text_format(out, "mapping of names to texts");
    case FIELD_OBJECT:
    case FIELD_OBJECTS:
        return text_format(out, "%s`%s`", f->type == FIELD_OBJECTS ? "list of " : "",
                           f->record->path);
    case FIELD_LATER:
        break;
    }
    return text_format(out, "not available in this version");
}

static Err put_field_doc(const Field *f, Buf *out)
{
    TRY(text_format(out, "| `%s` | ", f->key));
    TRY(field_type_doc(f, out));
    if (f->required)
        TRY(text_format(out, " | required"));
    else if (f->standard != NULL)
        TRY(text_format(out, " | `%s`", f->standard));
    else
        TRY(text_format(out, " |"));
    return text_format(out, " | %s |\n", f->doc);
}

static Err put_record_doc(const Record *r, Buf *out)
{
    TRY(text_format(out, "\n## %s\n\n%s\n\n", r->path[0] != '\0' ? r->path : "The file", r->doc));
    TRY(text_format(out, "| Key | Value | Default | |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < r->count; i++)
        TRY(put_field_doc(&r->fields[i], out));
    for (size_t i = 0; i < r->count; i++)
        if (r->fields[i].record != NULL)
            TRY(put_record_doc(r->fields[i].record, out));
    return OK;
}

Err config_reference(Buf *out)
{
    TRY(text_format(
        out, "# Configuration reference\n\n"
             "Made from the table of fields (`src/config/fields.c`); do not edit by hand.\n\n"
             "The file is strict YAML. A value is read as its field's type says: `phi: yes` is the "
             "text \"yes\", `method: null` the method. Unknown and duplicate keys, tags, anchors, "
             "aliases, merge keys and second documents are errors; so is a known key that this "
             "version cannot honour. Secrets are references, never values.\n"));
    return put_record_doc(&CONFIG_RECORD, out);
}
