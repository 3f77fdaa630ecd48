/* chaperone.yaml(5), a walk over the table of fields. */
#include "config/config.h"

#include "base/mdoc.h"
#include "base/text.h"
#include "config/fields.h"

static const char HEAD[] =
    ".\\\" Made from the table of fields (src/config/fields.c); do not edit by hand.\n"
    ".Dd November 23, 2026\n.Dt CHAPERONE.YAML 5\n.Os\n"
    ".Sh NAME\n.Nm chaperone.yaml\n.Nd configuration of the chaperone gateway\n"
    ".Sh DESCRIPTION\n"
    "The configuration of\n.Xr chaperone 1\nis one file of strict YAML, mostly\n"
    ".Pa /etc/chaperone/chaperone.yaml .\n"
    "A value is read as its field's type says and is never guessed.\n"
    "Unknown and duplicate keys, tags, anchors, aliases, merge keys and second documents\n"
    "are errors; so is a known key that this version cannot honour.\n"
    "Secrets are references, never values.\n"
    ".Pp\n"
    ".Ic chaperone config validate\n"
    "prints every mistake with its place;\n"
    ".Ic chaperone config show\n"
    "prints all settings with defaults filled in.\n";

static const char TAIL[] = ".Sh FILES\n.Bl -tag -width Ds\n"
                           ".It Pa /etc/chaperone/chaperone.yaml\n"
                           "What is read where neither\n.Fl c\nnor\n.Ev CHAPERONE_CONFIG\n"
                           "says another.\n.El\n"
                           ".Sh EXAMPLES\n.Bd -literal\n"
                           "version: 1\n"
                           "resources:\n"
                           "  - name: ehr\n"
                           "    type: postgres\n"
                           "    address: ehr\\-db.internal:5432\n"
                           "    database: ehr\n"
                           "    credentials: {user: gate, password: file:/etc/chaperone/ehr}\n"
                           "    tls: {mode: verify\\-full, ca: file:/etc/chaperone/ca.pem}\n"
                           "roles:\n"
                           "  - name: clinical\n"
                           "    members: [\"group:local/clinical\"]\n"
                           "    allow: [{resources: [ehr], actions: [read]}]\n"
                           ".Ed\n"
                           ".Sh SEE ALSO\n.Xr chaperone 1 ,\n.Xr chaperone-journal 5\n";

/* "required. " or "Default: 10m. " before the field's own words. */
static Err put_words(const Field *f, Buf *out)
{
    CLEANUP(buf_done) Buf words = { 0 };

    buf_init(&words, 64 << 10);
    TRY(field_type_doc(f, &words));
    if (f->required)
        TRY(text_format(&words, "; required"));
    else if (f->standard != NULL)
        TRY(text_format(&words, "; default `%s`", f->standard));
    TRY(text_format(&words, ". %s", f->doc));
    return mdoc_text(out, buf_view(&words));
}

static Err put_field(const Field *f, Buf *out)
{
    TRY(text_format(out, ".It Cm %s\n", f->key));
    return put_words(f, out);
}

/* Recursion goes as deep as the table of fields. */
static Err put_record(const Record *r, Buf *out)
{
    TRY(text_format(out, ".Ss %s\n", r->path[0] != '\0' ? r->path : "The file"));
    TRY(mdoc_text(out, text_of(r->doc)));
    TRY(text_format(out, ".Bl -tag -width Ds\n"));
    for (size_t i = 0; i < r->count; i++)
        TRY(put_field(&r->fields[i], out));
    TRY(text_format(out, ".El\n"));
    for (size_t i = 0; i < r->count; i++)
        if (r->fields[i].record != NULL)
            TRY(put_record(r->fields[i].record, out));
    return OK;
}

Err config_manual(Buf *out)
{
    TRY(buf_append(out, (Bytes){ (const uint8_t *)HEAD, sizeof HEAD - 1 }));
    TRY(text_format(out, ".Sh SETTINGS\n"));
    TRY(put_record(&CONFIG_RECORD, out));
    return buf_append(out, (Bytes){ (const uint8_t *)TAIL, sizeof TAIL - 1 });
}
