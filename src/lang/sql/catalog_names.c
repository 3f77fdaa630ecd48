#include "lang/sql/catalog_names.h"

#include "base/text.h"

static const char OPERATORS[][8] = {
    // clang-format off
    "!!", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<", "&<|",
    "&>", "*", "*<", "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/", "<", "<->",
    "<<", "<<=", "<<|", "<=", "<>", "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^", "?", "?#", "?&",
    "?-", "?-|", "?|", "?||", "@", "@-@", "@>", "@?", "@@", "@@@", "^", "^@", "|", "|&>", "|/",
    "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~>=~", "~>~", "~~", "~~*", "!=",
    // clang-format on
};

static const struct {
    char name[32];
    uint32_t oid;
} TYPES[] = {
    // clang-format off
    { "aclitem", 1033 }, { "bit", 1560 }, { "bool", 16 }, { "box", 603 }, { "bpchar", 1042 },
    { "bytea", 17 }, { "char", 18 }, { "cid", 29 }, { "cidr", 650 }, { "circle", 718 },
    { "date", 1082 }, { "datemultirange", 4535 }, { "daterange", 3912 }, { "float4", 700 },
    { "float8", 701 }, { "gtsvector", 3642 }, { "inet", 869 }, { "int2", 21 }, { "int2vector", 22 },
    { "int4", 23 }, { "int4multirange", 4451 }, { "int4range", 3904 }, { "int8", 20 },
    { "int8multirange", 4536 }, { "int8range", 3926 }, { "interval", 1186 }, { "json", 114 },
    { "jsonb", 3802 }, { "jsonpath", 4072 }, { "line", 628 }, { "lseg", 601 }, { "macaddr", 829 },
    { "macaddr8", 774 }, { "money", 790 }, { "name", 19 }, { "numeric", 1700 },
    { "nummultirange", 4532 }, { "numrange", 3906 }, { "oid", 26 }, { "oidvector", 30 },
    { "path", 602 }, { "pg_brin_bloom_summary", 4600 }, { "pg_brin_minmax_multi_summary", 4601 },
    { "pg_dependencies", 3402 }, { "pg_lsn", 3220 }, { "pg_mcv_list", 5017 },
    { "pg_ndistinct", 3361 }, { "pg_node_tree", 194 }, { "pg_snapshot", 5038 }, { "point", 600 },
    { "polygon", 604 }, { "refcursor", 1790 }, { "regclass", 2205 }, { "regcollation", 4191 },
    { "regconfig", 3734 }, { "regdictionary", 3769 }, { "regnamespace", 4089 }, { "regoper", 2203 },
    { "regoperator", 2204 }, { "regproc", 24 }, { "regprocedure", 2202 }, { "regrole", 4096 },
    { "regtype", 2206 }, { "text", 25 }, { "tid", 27 }, { "time", 1083 }, { "timestamp", 1114 },
    { "timestamptz", 1184 }, { "timetz", 1266 }, { "tsmultirange", 4533 }, { "tsquery", 3615 },
    { "tsrange", 3908 }, { "tstzmultirange", 4534 }, { "tstzrange", 3910 }, { "tsvector", 3614 },
    { "txid_snapshot", 2970 }, { "uuid", 2950 }, { "varbit", 1562 }, { "varchar", 1043 },
    { "xid", 28 }, { "xid8", 5069 }, { "xml", 142 },
    // clang-format on
};

/* Other people's data, statements or secrets. pg_roles and pg_user blank their passwords. */
static const char SENSITIVE[][40] = {
    // clang-format off
    "pg_authid", "pg_backend_memory_contexts", "pg_cursors", "pg_db_role_setting",
    "pg_file_settings", "pg_foreign_server", "pg_hba_file_rules", "pg_ident_file_mappings",
    "pg_largeobject", "pg_prepared_statements", "pg_prepared_xacts", "pg_replication_slots",
    "pg_shadow", "pg_stat_activity", "pg_stat_gssapi", "pg_stat_replication", "pg_stat_ssl",
    "pg_stat_statements", "pg_stat_statements_info", "pg_stat_subscription", "pg_stat_wal_receiver",
    "pg_statistic", "pg_statistic_ext_data", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs",
    "pg_subscription", "pg_user_mapping", "pg_user_mappings", "pg_shmem_allocations",
    "_pg_user_mappings", "user_mapping_options", "foreign_server_options", "foreign_table_options",
    "foreign_data_wrapper_options", "pg_foreign_table", "pg_foreign_data_wrapper", "pg_toast",
    // clang-format on
};

bool catalog_operator(Bytes name)
{
    for (size_t i = 0; i < COUNT_OF(OPERATORS); i++)
        if (text_eq(text_of(OPERATORS[i]), name))
            return true;
    return false;
}

uint32_t catalog_type_oid(Bytes name)
{
    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        if (text_eq(text_of(TYPES[i].name), name))
            return TYPES[i].oid;
    return 0;
}

bool catalog_relation_sensitive(Bytes name)
{
    for (size_t i = 0; i < COUNT_OF(SENSITIVE); i++)
        if (text_eq(text_of(SENSITIVE[i]), name))
            return true;
    return false;
}
