/* The rules, as the configuration file says them. Plain data, immutable once loaded.
 *
 * config/ fills these structs in one Arena; every view borrows from it. A zeroed Policy has
 * no role, and no role means nothing is allowed. Names are compared byte for byte; patterns
 * of tables and columns without regard to ASCII case. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "model/identity.h"
#include "model/mask.h"
#include "model/meaning.h"

typedef struct Names {
    const Bytes *at;
    size_t count;
} Names;

/* An empty part matches anything. Of a table: `column` is empty. */
typedef struct NamePattern {
    Bytes schema, table, column;
} NamePattern;

typedef struct NamePatterns {
    const NamePattern *at;
    size_t count;
} NamePatterns;

typedef struct Label {
    Bytes key, value;
} Label;

typedef struct Labels {
    const Label *at;
    size_t count;
} Labels;

typedef struct Address {
    Bytes host; /* without brackets; empty: every interface */
    uint16_t port;
} Address;

typedef struct Addresses {
    const Address *at; /* in the order in which they are tried */
    size_t count;
} Addresses;
enum { ADDRESSES_MAX = 8 };

/* Which server of several: libpq's names and meanings. */
typedef enum TargetServer {
    SERVER_ANY = 0,
    SERVER_READ_WRITE, /* takes writes by default */
    SERVER_READ_ONLY,
    SERVER_PRIMARY, /* not in recovery */
    SERVER_STANDBY,
    SERVER_PREFER_STANDBY, /* a standby; if there is none, any */
} TargetServer;

typedef enum ResourceType { RESOURCE_POSTGRES = 1 } ResourceType;
typedef enum TlsMode { TLS_DISABLE = 1, TLS_VERIFY_FULL } TlsMode;
typedef enum NewerServer { NEWER_REFUSE = 0, NEWER_ALLOW } NewerServer;

/* `password` is a reference ("file:/etc/chaperone/ehr", "env:EHR"), never the secret. */
typedef enum Md5Use { MD5_REFUSE = 0, MD5_ALLOW } Md5Use;
/* What may stand between the gateway and the target's server? */
typedef enum Pooler { POOLER_NONE = 0, POOLER_SESSION } Pooler;

typedef struct Credentials {
    Bytes user, password;
    Md5Use md5;
} Credentials;

/* `ca` is a reference to a public file ("file:/etc/chaperone/ehr-ca.pem"). */
typedef struct TargetTls {
    TlsMode mode;
    Bytes ca;
} TargetTls;

typedef struct Resource {
    Bytes name;
    ResourceType type;
    Addresses addresses;
    TargetServer server;
    Pooler pooler;
    Bytes database; /* empty: the resource's name */
    Credentials credentials;
    TargetTls tls;
    Labels labels;
    NewerServer server_newer_than_grammar;
} Resource;

typedef enum Predicates {
    PREDICATES_NONE = 0, /* protected columns decide nothing */
    PREDICATES_TOKEN,    /* only = with a pseudonym that the gateway translates */
    PREDICATES_EQUALITY, /* also = with a value of the caller's */
    PREDICATES_ANY,
} Predicates;

/* May the role write columns whose value it sees only in part or not at all? */
typedef enum Writes { WRITES_REFUSE = 0, WRITES_HOLD, WRITES_ALLOW } Writes;
typedef enum Evidence { EVIDENCE_NONE = 0, EVIDENCE_READ } Evidence;

typedef struct Grant {
    Names resources;     /* "*": all */
    unsigned actions;    /* Effect bits; OPAQUE is covered by WRITE, LOCK too */
    NamePatterns tables; /* none: all */
} Grant;

typedef struct Review {
    Names resources;
} Review;

typedef struct Role {
    Bytes name;
    Names members; /* as identity_is() reads them */
    struct {
        const Grant *at;
        size_t count;
    } allow;
    Bytes masking; /* name of a profile; empty: everything unclassified */
    Predicates predicates;
    bool purpose_required;
    Writes writes;
    Review review;
    Evidence evidence;
} Role;

typedef struct MaskingRule {
    Bytes resource; /* empty or "*": all */
    NamePatterns columns;
    unsigned classes; /* bits of policy/column_class.h; a rule has columns or classes */
    MaskMethod method;
    Bytes scope;  /* pseudonyms; empty or "resource": the resource's own */
    Bytes prefix; /* pseudonyms; empty: the class's */
} MaskingRule;

typedef enum Unclassified { UNCLASSIFIED_MASK = 0 } Unclassified;

typedef struct MaskingProfile {
    Bytes name;
    Unclassified unclassified;
    struct {
        const MaskingRule *at;
        size_t count;
    } rules; /* the first that matches wins */
} MaskingProfile;

typedef enum WhereClause { WHERE_EITHER = 0, WHERE_ABSENT, WHERE_PRESENT } WhereClause;
typedef enum Suggest { SUGGEST_NOTHING = 0, SUGGEST_ADD_WHERE } Suggest;

/* All conditions that are given must hold for one and the same statement. */
typedef struct GuardrailMatch {
    uint64_t statements; /* 1 << StatementKind; 0: any */
    WhereClause where;   /* of UPDATE and DELETE */
    unsigned effects;    /* any of these; 0: any */
    NamePatterns tables; /* one of its relations; none: any */
} GuardrailMatch;

typedef struct Guardrail {
    Bytes name;
    Names resources; /* none or "*": all */
    GuardrailMatch match;
    Bytes message;
    Suggest suggest;
} Guardrail;

typedef enum Wait { WAIT_HOLD_THEN_TICKET = 0, WAIT_HOLD, WAIT_TICKET } Wait;
typedef enum GrantScope { GRANT_STATEMENT = 0 } GrantScope;

typedef struct ApprovalWhen {
    Labels labels; /* all of them on the resource */
    Names resources;
    unsigned effects; /* any of these; OPAQUE counts as WRITE; 0: any */
    NamePatterns tables;
} ApprovalWhen;

typedef struct ApprovalAsk {
    Bytes group;    /* name of a role, or "local/privacy" */
    uint64_t count; /* how many distinct people */
    bool not_self;  /* always true in this version */
} ApprovalAsk;

typedef struct ApprovalGrant {
    GrantScope scope;
    uint64_t valid_ms;
} ApprovalGrant;

typedef struct Approval {
    Bytes name;
    ApprovalWhen when;
    ApprovalAsk ask;
    ApprovalGrant grant;
    Wait wait;
    uint64_t hold_ms;         /* 0: the policy's */
    uint64_t ticket_after_ms; /* WAIT_HOLD_THEN_TICKET: what agents and services wait */
} Approval;

typedef struct MaskingProfiles {
    const MaskingProfile *at;
    size_t count;
} MaskingProfiles;

typedef struct Policy {
    struct {
        const Resource *at;
        size_t count;
    } resources;
    struct {
        const Role *at;
        size_t count;
    } roles;
    MaskingProfiles profiles;
    struct {
        const Guardrail *at;
        size_t count;
    } guardrails;
    struct {
        const Approval *at;
        size_t count;
    } approvals;
    uint64_t hold_default_ms;
} Policy;

const Resource *policy_resource(const Policy *p, Bytes name); /* NULL: none */
const Role *policy_role_named(const Policy *p, Bytes name);
const MaskingProfile *policy_profile(const Policy *p, Bytes name);

/* The role of a session, chosen once: the first in file order that has the identity as a
 * member and names the resource in `allow`. NULL: no role, so nothing. */
const Role *policy_role(const Policy *p, const Identity *who, const Resource *resource);

/* May this person answer for `group` (a role's name, or "local/privacy")? Only people may. */
bool policy_may_approve(const Policy *p, Bytes group, const Identity *who);
/* May this person watch what others did on `resource`? */
bool policy_may_review(const Policy *p, const Identity *who, const Resource *resource);
bool policy_may_read_evidence(const Policy *p, const Identity *who);

/* Is `name` one of `names`, or is "*"? */
bool names_cover(const Names *names, Bytes name);
bool labels_have(const Labels *labels, Bytes key, Bytes value);
/* Label phi: "yes": there, what no rule names is masked. */
bool resource_is_phi(const Resource *r);
bool pattern_matches(const NamePattern *p, Bytes schema, Bytes table, Bytes column);
/* Of a relation; true when there is no pattern. */
bool patterns_match_table(const NamePatterns *p, Bytes schema, Bytes table);
/* Reads "table", "schema.table", and with `columns` "table.column", "schema.table.column".
 * ERR_MALFORMED: an empty part, too few or too many, or a `*` beside other characters. */
Err pattern_parse(Bytes text, bool columns, NamePattern *ret) MUST_CHECK;

#endif
