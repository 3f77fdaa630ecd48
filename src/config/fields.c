#include "config/fields_parts.h"

#include "model/limits.h"

static const Choice SANDBOXES[] = { { "required", SANDBOX_REQUIRED, false },
                                    { "auto", SANDBOX_AUTO, false } };
static const Choice RESULTS_NAMES[] = { { "full", RESULTS_FULL, false } };
static const Choice DISK_NAMES[] = { { "refuse", DISK_FULL_REFUSE, false } };
static const Choices SANDBOX_CHOICES = CHOICES(SANDBOXES);
static const Choices RESULT_CHOICES = CHOICES(RESULTS_NAMES);
static const Choices DISK_CHOICES = CHOICES(DISK_NAMES);

static const Field LISTEN_FIELDS[] = {
    { .key = "postgres",
      .type = FIELD_ADDRESS,
      AT(Listen, postgres),
      .standard = "127.0.0.1:6432",
      .doc = "Where PostgreSQL clients connect. Other than loopback needs `gateway.tls`, and then "
             "takes "
             "no client without TLS." },
    { .key = "metrics",
      .type = FIELD_ADDRESS,
      AT(Listen, metrics),
      .doc =
          "Where Prometheus reads `/metrics`, and probes `/healthz` and `/readyz`: plain HTTP on "
          "a loopback address, such as `127.0.0.1:9464`. None when left out. Numbers by "
          "resource, no user and no value." },
    LATER("https", "Console and API over HTTPS."),
    LATER("mysql", "MySQL clients."),
    LATER("ssh", "SSH clients."),
};
static const Record LISTEN =
    RECORD(LISTEN_FIELDS, Listen, "gateway.listen", "Addresses to listen on.");

static const Field SERVER_TLS_FIELDS[] = {
    { .key = "cert",
      .type = FIELD_TEXT,
      .required = true,
      AT(ServerTls, cert),
      .form = FORM_FILE,
      .doc = "The certificate and its issuers, PEM, the gateway's own first. Read at the start." },
    { .key = "key",
      .type = FIELD_TEXT,
      .required = true,
      AT(ServerTls, key),
      .form = FORM_SECRET,
      .doc = "Where its private key is: P-256, P-384 or RSA of at least 2048 bits, PEM, not "
             "encrypted. Only the keeper reads it, at the start, with its own account (61841 when "
             "the gateway was started as root); it signs the handshakes." },
    { .key = "client_ca",
      .type = FIELD_TEXT,
      AT(ServerTls, client_ca),
      .form = FORM_FILE,
      .doc = "Whose client certificates to believe, PEM. With it everybody needs one besides the "
             "password or token, unless `client_exempt` names them: its only common name, or an "
             "e-mail address in it, is the user's name, byte for byte. One that is shown must "
             "hold, also where none is needed." },
    { .key = "client_crl",
      .type = FIELD_TEXT,
      AT(ServerTls, client_crl),
      .form = FORM_FILE,
      .doc = "Revocation lists, PEM: one of every authority in a chain. A list that has expired "
             "refuses everybody of its issuer." },
    { .key = "client_exempt",
      .type = FIELD_TEXTS,
      AT(ServerTls, client_exempt),
      .form = FORM_EXEMPT,
      .may_be_empty = true,
      .doc = "Who may come without a client certificate; nobody when left out." },
};
static const Record SERVER_TLS =
    RECORD(SERVER_TLS_FIELDS, ServerTls, "gateway.tls", "TLS towards clients.");

static const Field GATEWAY_FIELDS[] = {
    { .key = "public_url",
      .type = FIELD_TEXT,
      AT(Gateway, public_url),
      .form = FORM_URL,
      .doc = "The gateway's address as people see it; links in messages begin with it." },
    { .key = "listen",
      .type = FIELD_OBJECT,
      AT(Gateway, listen),
      .record = &LISTEN,
      .doc = "Addresses to listen on." },
    { .key = "admin_socket",
      .type = FIELD_TEXT,
      AT(Gateway, admin_socket),
      .form = FORM_PATH,
      .standard = "/var/lib/chaperone/admin.sock",
      .doc = "Unix socket of the command line on the gateway's host." },
    { .key = "admin_users",
      .type = FIELD_TEXTS,
      AT(Gateway, admin_users),
      .form = FORM_NAME,
      .may_be_empty = true,
      .doc = "Unix users who administer over that socket, besides root. They configure, they never "
             "approve. Accounts are looked up at the start." },
    { .key = "hold_default",
      .type = FIELD_DURATION,
      AT(Gateway, hold_default_ms),
      .standard = "10m",
      .min = MS_SECOND,
      .max = MS_DAY,
      .doc = "How long a person's session waits for an approval when the rule does not say." },
    { .key = "workers",
      .type = FIELD_COUNT,
      AT(Gateway, workers),
      .min = 1,
      .max = 64,
      .doc = "Worker processes; one for each core when left out." },
    { .key = "sandbox",
      .type = FIELD_CHOICE,
      AT(Gateway, sandbox),
      .choices = &SANDBOX_CHOICES,
      .standard = "required",
      .doc = "`required`: do not start without seccomp and Landlock. `auto`: start with what the "
             "kernel has; `status` says loudly what is missing." },
    { .key = "tls",
      .type = FIELD_OBJECT,
      AT(Gateway, tls),
      .record = &SERVER_TLS,
      .doc = "TLS towards clients; none when left out." },
};
static const Record GATEWAY = RECORD(GATEWAY_FIELDS, Gateway, "gateway", "The gateway itself.");

static const Field LIMITS_FIELDS[] = {
    { .key = "row",
      .type = FIELD_SIZE,
      AT(Limits, row),
      .standard = "1MiB",
      .min = 4096,
      .max = LIMIT_ROW,
      .doc = "Rows up to this size are held whole while they are masked." },
    { .key = "client_message",
      .type = FIELD_SIZE,
      AT(Limits, client_message),
      .standard = "16MiB",
      .min = 65536,
      .max = LIMIT_CLIENT_MESSAGE,
      .doc = "Longer messages of clients are refused." },
};
static const Record LIMITS = RECORD(LIMITS_FIELDS, Limits, "limits", "Bounds, to be made tighter.");

static const Field STORAGE_FIELDS[] = {
    { .key = "state",
      .type = FIELD_TEXT,
      AT(Storage, state),
      .form = FORM_STATE,
      .standard = "sqlite:/var/lib/chaperone/state.db",
      .doc = "Users, tokens, requests and approvals." },
    { .key = "journal",
      .type = FIELD_TEXT,
      AT(Storage, journal),
      .form = FORM_PATH,
      .standard = "/var/lib/chaperone/journal",
      .doc = "Directory of the journal's segments." },
    { .key = "root_key",
      .type = FIELD_TEXT,
      AT(Storage, root_key),
      .form = FORM_ROOT_KEY,
      .standard = "auto",
      .doc = "The key that wraps all others. `auto`: made at first start, beside the state." },
    { .key = "recovery_key",
      .type = FIELD_TEXT,
      AT(Storage, recovery_key),
      .form = FORM_RECOVERY_KEY,
      .doc = "The public half of the recovery key that `chaperone recovery-key new` makes: backups "
             "are made for whoever holds the other half. `backup` needs it." },
    LATER("recordings", "Recordings apart from the journal."),
};
static const Record STORAGE = RECORD(STORAGE_FIELDS, Storage, "storage", "Where things are kept.");

static const Field IDENTITY_FIELDS[] = {
    { .key = "local",
      .type = FIELD_BOOL,
      AT(SignIn, local),
      .standard = "true",
      .doc = "Built-in users with passwords and tokens: the only sign-in of this version." },
    LATER("providers", "Sign-in through OIDC or SAML."),
    LATER("agents", "Agents with tokens of another issuer; use `chaperone agent add`."),
};
static const Record IDENTITY = RECORD(IDENTITY_FIELDS, SignIn, "identity", "Who may sign in.");

#define GIB (1ull << 30)

static const Field BUDGET_FIELDS[] = {
    { .key = "hour",
      .type = FIELD_SIZE,
      AT(RecordingBudget, hour),
      .standard = "16GiB",
      .min = 65536,
      .max = 1024 * GIB,
      .doc = "In one hour of the clock, UTC." },
    { .key = "day",
      .type = FIELD_SIZE,
      AT(RecordingBudget, day),
      .standard = "128GiB",
      .min = 65536,
      .max = 16384 * GIB,
      .doc = "In one day, UTC." },
};
static const Record BUDGET =
    RECORD(BUDGET_FIELDS, RecordingBudget, "recording.budget",
           "What one identity may put into the journal on one resource. Used up: its statements "
           "are refused with CHP-3402 until the hour or day is over.");

static const Field WATERMARK_FIELDS[] = {
    { .key = "sessions",
      .type = FIELD_COUNT,
      AT(Watermarks, sessions),
      .standard = "80",
      .min = 5,
      .max = 99,
      .doc = "From here on new sessions of the day's largest writers are refused." },
    { .key = "reads",
      .type = FIELD_COUNT,
      AT(Watermarks, reads),
      .standard = "90",
      .min = 5,
      .max = 99,
      .doc = "From here on an answer may put 256 KiB into the journal, no more." },
};
static const Record WATERMARKS =
    RECORD(WATERMARK_FIELDS, Watermarks, "recording.watermarks",
           "Percent of the journal's volume in use. A level ends 2 percent below.");

static const Field RECORDING_FIELDS[] = {
    { .key = "results",
      .type = FIELD_CHOICE,
      AT(Recording, results),
      .choices = &RESULT_CHOICES,
      .standard = "full",
      .doc = "What the client saw, after masking." },
    { .key = "on_disk_full",
      .type = FIELD_CHOICE,
      AT(Recording, on_disk_full),
      .choices = &DISK_CHOICES,
      .standard = "refuse",
      .doc = "No record, no traffic." },
    { .key = "budget",
      .type = FIELD_OBJECT,
      AT(Recording, budget),
      .record = &BUDGET,
      .doc = "What one identity may put into the journal on one resource." },
    { .key = "watermarks",
      .type = FIELD_OBJECT,
      AT(Recording, watermarks),
      .record = &WATERMARKS,
      .doc = "What happens before the journal's volume is full." },
};
static const Record RECORDING =
    RECORD(RECORDING_FIELDS, Recording, "recording", "What is recorded.");

static const Field RETENTION_FIELDS[] = {
    { .key = "recordings",
      .type = FIELD_DURATION,
      AT(Retention, recordings_ms),
      .standard = "2y",
      .min = MS_DAY,
      .max = 100 * MS_YEAR,
      .doc = "What clients saw." },
    { .key = "audit",
      .type = FIELD_DURATION,
      AT(Retention, audit_ms),
      .standard = "6y",
      .min = MS_DAY,
      .max = 100 * MS_YEAR,
      .doc = "Who did what; 45 CFR 164.316(b)(2)(i) asks for six years." },
    LATER("legal_hold", "Sessions that are kept regardless."),
};
static const Record RETENTION =
    RECORD(RETENTION_FIELDS, Retention, "retention", "How long records are kept.");

static const Field CONFIG_FIELDS[] = {
    { .key = "version",
      .type = FIELD_COUNT,
      .required = true,
      AT(Config, version),
      .min = 1,
      .max = 1,
      .doc = "Of this format: 1." },
    { .key = "gateway",
      .type = FIELD_OBJECT,
      AT(Config, gateway),
      .record = &GATEWAY,
      .doc = "The gateway itself." },
    { .key = "limits",
      .type = FIELD_OBJECT,
      AT(Config, limits),
      .record = &LIMITS,
      .doc = "Bounds, to be made tighter." },
    { .key = "storage",
      .type = FIELD_OBJECT,
      AT(Config, storage),
      .record = &STORAGE,
      .doc = "Where things are kept." },
    { .key = "identity",
      .type = FIELD_OBJECT,
      AT(Config, identity),
      .record = &IDENTITY,
      .doc = "Who may sign in." },
    { .key = "resources",
      .type = FIELD_OBJECTS,
      AT(Config, policy.resources),
      .record = &RESOURCE_RECORD,
      .doc = "The systems behind the gateway." },
    { .key = "roles",
      .type = FIELD_OBJECTS,
      AT(Config, policy.roles),
      .record = &ROLE_RECORD,
      .doc = "Who may do what. No role, nothing." },
    { .key = "masking",
      .type = FIELD_OBJECT,
      AT(Config, policy.profiles),
      .record = &MASKING_RECORD,
      .doc = "How columns leave." },
    { .key = "guardrails",
      .type = FIELD_OBJECTS,
      AT(Config, policy.guardrails),
      .record = &GUARDRAIL_RECORD,
      .doc = "Refused outright, whoever asks." },
    { .key = "approvals",
      .type = FIELD_OBJECTS,
      AT(Config, policy.approvals),
      .record = &APPROVAL_RECORD,
      .doc = "What another person has to answer for first." },
    { .key = "recording",
      .type = FIELD_OBJECT,
      AT(Config, recording),
      .record = &RECORDING,
      .doc = "What is recorded." },
    { .key = "retention",
      .type = FIELD_OBJECT,
      AT(Config, retention),
      .record = &RETENTION,
      .doc = "How long records are kept." },
    LATER("sinks", "Where audit events are sent."),
};
const Record CONFIG_RECORD = RECORD(CONFIG_FIELDS, Config, "", "The whole file.");
const char *text_form_doc(TextForm form)
{
    switch (form) {
    case FORM_TEXT:
        return "text";
    case FORM_NAME:
        return "a name: letters, digits, `-`, `_`, `.`; at most 63";
    case FORM_NAME_OR_ALL:
        return "a name, or `*`";
    case FORM_MEMBER:
        return "`user:NAME`, `agent:NAME`, `service:NAME` or `group:local/NAME`";
    case FORM_EXEMPT:
        return "`human`, `agent`, `service`, `user:NAME`, `agent:NAME`, `service:NAME` or "
               "`group:local/NAME`";
    case FORM_GROUP:
        return "a role's name, or `local/GROUP`";
    case FORM_SECRET:
        return "a reference: `file:/PATH` or `env:NAME`";
    case FORM_FILE:
        return "a file: `file:/PATH`";
    case FORM_ROOT_KEY:
        return "`auto` or `file:/PATH`";
    case FORM_STATE:
        return "`sqlite:/PATH`";
    case FORM_PATH:
        return "an absolute path";
    case FORM_URL:
        return "a URL: `https://…` or `http://…`";
    case FORM_RECOVERY_KEY:
        return "`x25519:` and 64 hex digits";
    case FORM_PREFIX:
        return "1 to 8 upper-case letters and digits";
    }
    return "text";
}
bool field_is_list(FieldType type)
{
    return type == FIELD_FLAGS || type == FIELD_KINDS || type == FIELD_TEXTS ||
           type == FIELD_TABLES || type == FIELD_COLUMNS || type == FIELD_OBJECTS;
}
