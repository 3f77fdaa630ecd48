/* Resources and roles: what there is, and who may do what. */
#include "config/fields_parts.h"

/* Choices are stored as unsigned, whatever the enum. */
_Static_assert(sizeof(Predicates) == sizeof(unsigned), "enums are as wide as unsigned");

static const Choice TYPES[] = {
    { "postgres", RESOURCE_POSTGRES, false },
    { "mysql", 0, true },
    { "ssh", 0, true },
    { "kubernetes", 0, true },
    { "http", 0, true },
    { "mcp", 0, true },
};
static const Choice TLS_MODES[] = {
    { "disable", TLS_DISABLE, false },
    { "require", 0, true },
    { "verify-ca", 0, true },
    { "verify-full", TLS_VERIFY_FULL, false },
};
static const Choice SERVERS[] = {
    { "any", SERVER_ANY, false },
    { "read-write", SERVER_READ_WRITE, false },
    { "read-only", SERVER_READ_ONLY, false },
    { "primary", SERVER_PRIMARY, false },
    { "standby", SERVER_STANDBY, false },
    { "prefer-standby", SERVER_PREFER_STANDBY, false },
};
static const Choice NEWER[] = { { "refuse", NEWER_REFUSE, false },
                                { "allow", NEWER_ALLOW, false } };
static const Choice POOLERS[] = { { "none", POOLER_NONE, false },
                                  { "session", POOLER_SESSION, false },
                                  { "transaction", 0, true } };
static const Choice MD5_USES[] = { { "refuse", MD5_REFUSE, false }, { "allow", MD5_ALLOW, false } };
static const Choice EFFECT_NAMES[] = {
#define EFFECT_CHOICE(name, bit, text) { text, 1u << bit, false },
    EFFECTS(EFFECT_CHOICE)
#undef EFFECT_CHOICE
};
static const Choice PREDICATE_NAMES[] = {
    { "none", PREDICATES_NONE, false },
    { "token", PREDICATES_TOKEN, false },
    { "equality", PREDICATES_EQUALITY, false },
    { "any", PREDICATES_ANY, false },
};
static const Choice WRITE_NAMES[] = {
    { "refuse", WRITES_REFUSE, false },
    { "hold", WRITES_HOLD, false },
    { "allow", WRITES_ALLOW, false },
};
static const Choice EVIDENCE_NAMES[] = { { "none", EVIDENCE_NONE, false },
                                         { "read", EVIDENCE_READ, false } };
static const Choices TYPE_CHOICES = CHOICES(TYPES);
static const Choices TLS_CHOICES = CHOICES(TLS_MODES);
static const Choices SERVER_CHOICES = CHOICES(SERVERS);
static const Choices POOLER_CHOICES = CHOICES(POOLERS);
static const Choices MD5_CHOICES = CHOICES(MD5_USES);
static const Choices NEWER_CHOICES = CHOICES(NEWER);
static const Choices ACTION_CHOICES = { EFFECT_NAMES, COUNT_OF(EFFECT_NAMES), true };
static const Choices PREDICATE_CHOICES = CHOICES(PREDICATE_NAMES);
static const Choices WRITE_CHOICES = CHOICES(WRITE_NAMES);
static const Choices EVIDENCE_CHOICES = CHOICES(EVIDENCE_NAMES);

static const Field CREDENTIAL_FIELDS[] = {
    { .key = "user",
      .type = FIELD_TEXT,
      .required = true,
      AT(Credentials, user),
      .doc = "The gateway's own user on the target." },
    { .key = "password",
      .type = FIELD_TEXT,
      .required = true,
      AT(Credentials, password),
      .form = FORM_SECRET,
      .doc = "Where its password is." },
    { .key = "md5",
      .type = FIELD_CHOICE,
      AT(Credentials, md5),
      .choices = &MD5_CHOICES,
      .standard = "refuse",
      .doc =
          "May the target ask for MD5 in place of SCRAM? It is weak: whoever stands for the target "
          "gets something to guess the password from, and proves nothing itself. Better: set "
          "`password_encryption = scram-sha-256` there and the password anew." },
};
static const Record CREDENTIALS = RECORD(CREDENTIAL_FIELDS, Credentials, "resources[].credentials",
                                         "How the gateway signs in; callers never see it.");

static const Field TLS_FIELDS[] = {
    { .key = "mode",
      .type = FIELD_CHOICE,
      AT(TargetTls, mode),
      .choices = &TLS_CHOICES,
      .standard = "verify-full",
      .doc = "`verify-full`: the target's certificate is issued by `ca` and is for the host of "
             "`address`. `disable` needs a loopback address." },
    { .key = "ca",
      .type = FIELD_TEXT,
      AT(TargetTls, ca),
      .form = FORM_FILE,
      .doc = "Whose certificates to believe, PEM. `verify-full` needs it. Read at the start." },
};
static const Record TLS =
    RECORD(TLS_FIELDS, TargetTls, "resources[].tls", "TLS towards the target.");

static const Field RESOURCE_FIELDS[] = {
    { .key = "name",
      .type = FIELD_TEXT,
      .required = true,
      AT(Resource, name),
      .form = FORM_NAME,
      .doc = "What clients give as the name of the database." },
    { .key = "type",
      .type = FIELD_CHOICE,
      .required = true,
      AT(Resource, type),
      .choices = &TYPE_CHOICES,
      .doc = "What kind of system it is." },
    { .key = "address",
      .type = FIELD_ADDRESSES,
      .required = true,
      AT(Resource, addresses),
      .doc = "Host and port; up to 8 of them with commas between, servers of one cluster, tried in "
             "this order. Names are resolved anew for each connection, and every address a name "
             "gives is tried." },
    { .key = "target_session_attrs",
      .type = FIELD_CHOICE,
      AT(Resource, server),
      .choices = &SERVER_CHOICES,
      .standard = "any",
      .doc = "Which server of several to use, as libpq has it: the first in order that is so. "
             "`read-write`, `read-only`: does it take writes by default? `primary`, `standby`: is "
             "it in recovery? `prefer-standby`: a standby, else any." },
    { .key = "pooler",
      .type = FIELD_CHOICE,
      AT(Resource, pooler),
      .choices = &POOLER_CHOICES,
      .standard = "none",
      .doc = "Does a connection pooler (PgBouncer and the like) stand before the target? It must "
             "be in "
             "session mode and reset its connections (PgBouncer's default); one that hands a "
             "connection to somebody else between two transactions is refused." },
    { .key = "database",
      .type = FIELD_TEXT,
      AT(Resource, database),
      .doc = "Name of the database on the target; the resource's name when left out." },
    { .key = "credentials",
      .type = FIELD_OBJECT,
      .required = true,
      AT(Resource, credentials),
      .record = &CREDENTIALS,
      .doc = "How the gateway signs in." },
    { .key = "tls",
      .type = FIELD_OBJECT,
      .required = true,
      AT(Resource, tls),
      .record = &TLS,
      .doc = "TLS towards the target." },
    { .key = "labels",
      .type = FIELD_LABELS,
      AT(Resource, labels),
      .doc = "Free labels for approval rules. `phi: \"yes\"` says that it holds protected health "
             "information: there, what no masking rule names is masked." },
    { .key = "server_newer_than_grammar",
      .type = FIELD_CHOICE,
      AT(Resource, server_newer_than_grammar),
      .choices = &NEWER_CHOICES,
      .standard = "refuse",
      .doc = "May the server be newer than the gateway's SQL grammar?" },
    LATER("subject", "Columns that name the data subject."),
    LATER("impersonate", "Kubernetes impersonation."),
    LATER("host_key", "SSH host key."),
    LATER("content", "Content of HTTP bodies."),
    LATER("tools", "MCP tools."),
};
const Record RESOURCE_RECORD =
    RECORD(RESOURCE_FIELDS, Resource, "resources[]", "A system behind the gateway.");

static const Field GRANT_FIELDS[] = {
    { .key = "resources",
      .type = FIELD_TEXTS,
      .required = true,
      AT(Grant, resources),
      .form = FORM_NAME_OR_ALL,
      .doc = "Names of resources, or `*`." },
    { .key = "actions",
      .type = FIELD_FLAGS,
      .required = true,
      AT(Grant, actions),
      .choices = &ACTION_CHOICES,
      .doc =
          "Effects a statement may have. `write` covers row locks and code the gateway cannot "
          "see into; everything else has to be named, or `*`. `lob`: large objects, whose content "
          "no mask knows, so that it leaves as it is." },
    { .key = "tables",
      .type = FIELD_TABLES,
      AT(Grant, tables),
      .doc = "`table` or `schema.table`, `*` for a whole part; all tables when left out." },
};
static const Record GRANT = RECORD(GRANT_FIELDS, Grant, "roles[].allow[]", "What the role may do.");

static const Field REVIEW_FIELDS[] = {
    { .key = "resources",
      .type = FIELD_TEXTS,
      .required = true,
      AT(Review, resources),
      .form = FORM_NAME_OR_ALL,
      .doc = "Names of resources, or `*`." },
};
static const Record REVIEW =
    RECORD(REVIEW_FIELDS, Review, "roles[].review", "Whose sessions its people may watch.");

static const Field ROLE_FIELDS[] = {
    { .key = "name",
      .type = FIELD_TEXT,
      .required = true,
      AT(Role, name),
      .form = FORM_NAME,
      .doc = "The role's name, as messages and records show it." },
    { .key = "members",
      .type = FIELD_TEXTS,
      .required = true,
      AT(Role, members),
      .form = FORM_MEMBER,
      .may_be_empty = true,
      .doc = "Who has it." },
    { .key = "allow",
      .type = FIELD_OBJECTS,
      AT(Role, allow),
      .record = &GRANT,
      .doc = "What it may do. A session has the first role in file order that has the caller as a "
             "member and names the resource here." },
    { .key = "masking",
      .type = FIELD_TEXT,
      AT(Role, masking),
      .form = FORM_NAME,
      .doc = "Masking profile; without one every column is unclassified." },
    { .key = "predicates",
      .type = FIELD_CHOICE,
      AT(Role, predicates),
      .choices = &PREDICATE_CHOICES,
      .standard = "none",
      .doc = "Protected columns in WHERE, JOIN, GROUP, ORDER: not at all, only `=` with a "
             "pseudonym, only `=` with a value, or anyhow." },
    { .key = "purpose_required",
      .type = FIELD_BOOL,
      AT(Role, purpose_required),
      .standard = "false",
      .doc = "Refuse statements that touch data until a purpose of use is set." },
    { .key = "writes",
      .type = FIELD_CHOICE,
      AT(Role, writes),
      .choices = &WRITE_CHOICES,
      .standard = "refuse",
      .doc = "Writing columns that the role sees masked by null, year or zip3." },
    { .key = "review",
      .type = FIELD_OBJECT,
      AT(Role, review),
      .record = &REVIEW,
      .doc = "Whose sessions its people may watch." },
    { .key = "evidence",
      .type = FIELD_CHOICE,
      AT(Role, evidence),
      .choices = &EVIDENCE_CHOICES,
      .standard = "none",
      .doc = "May its people export evidence?" },
    LATER("session", "Limits of a session's length."),
    LATER("budget", "Budgets of patients and rows."),
    LATER("mark", "Marks on labels of masked columns."),
};
const Record ROLE_RECORD =
    RECORD(ROLE_FIELDS, Role, "roles[]", "Who may do what. No role, nothing.");
