#include "worker/catalogue.h"

/* What is not the system's own. Toast tables cannot be named in a query's FROM by accident. */
#define RELATIONS                                                                                  \
    "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "              \
    "WHERE c.relkind IN ('r','p','v','m','f','S','c') AND n.nspname !~ '^pg_(toast|temp_)' "
#define NOT_SYSTEM "n.nspname NOT IN ('pg_catalog','information_schema') "

const char CATALOGUE_SETTINGS[] =
    "SET search_path = pg_catalog; SET lock_timeout = '1s'; SET statement_timeout = '10s'";

const char CATALOGUE_FINGERPRINT[] =
    "SELECT coalesce(sum(h),0)::text FROM ("
    "SELECT hashint8extended(oid::int8, xmin::text::int8)::numeric AS h FROM pg_catalog.pg_class "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(attrelid::int8 * 2048 + attnum, xmin::text::int8) "
    "FROM pg_catalog.pg_attribute WHERE attrelid >= 16384 AND attnum > 0 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_rewrite "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_proc "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_operator "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_type "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_cast "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_trigger "
    "WHERE oid >= 16384 UNION ALL "
    "SELECT hashint8extended(oid::int8, xmin::text::int8) FROM pg_catalog.pg_namespace UNION ALL "
    "SELECT hashint8extended(inhrelid::int8 * 4294967296 + inhparent::int8, xmin::text::int8) "
    "FROM pg_catalog.pg_inherits) f";

static const char *const QUERIES[CATALOGUE_COUNT] = {
    /* oid, schema, name, kind, reading runs code, writing runs code */
    [CATALOGUE_RELATIONS] =
        "SELECT c.oid::text, n.nspname, c.relname, c.relkind, "
        "CASE WHEN c.relkind = 'f' OR c.relrowsecurity OR EXISTS ("
        "SELECT FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d "
        "ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid "
        "WHERE r.ev_class = c.oid AND c.oid >= 16384 "
        "AND d.refclassid IN ('pg_catalog.pg_proc'::regclass,'pg_catalog.pg_operator'::regclass) "
        "AND d.refobjid >= 16384) THEN '1' ELSE '0' END, "
        "CASE WHEN c.relrowsecurity OR c.relkind = 'f' "
        "OR (c.relhasrules AND c.relkind IN ('r','p')) OR EXISTS ("
        "SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) "
        "THEN '1' ELSE '0' END FROM " RELATIONS
        "ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
    /* relation, attnum, name, type, typmod, generated */
    [CATALOGUE_COLUMNS] =
        "SELECT a.attrelid::text, a.attnum::text, a.attname, a.atttypid::oid::text, "
        "a.atttypmod::text, CASE WHEN a.attgenerated = 's' THEN '1' ELSE '0' END "
        "FROM pg_catalog.pg_attribute a, " RELATIONS
        "AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "ORDER BY a.attrelid, a.attnum",
    /* child, parent */
    [CATALOGUE_PARENTS] = "SELECT inhrelid::text, inhparent::text FROM pg_catalog.pg_inherits "
                          "ORDER BY inhrelid, inhseqno",
    /* view, its definition as a node tree */
    [CATALOGUE_VIEW_TREES] =
        "SELECT r.ev_class::oid::text, r.ev_action::text FROM pg_catalog.pg_rewrite r "
        "JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n "
        "ON n.oid = c.relnamespace WHERE r.rulename = '_RETURN' AND " NOT_SYSTEM
        "ORDER BY r.ev_class",
    /* view, relation it depends on, column of it (0: the whole) */
    [CATALOGUE_VIEW_READS] =
        "SELECT DISTINCT r.ev_class::oid::text, d.refobjid::oid::text, d.refobjsubid::text, "
        "r.ev_class FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_depend d "
        "ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid "
        "AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class "
        "WHERE r.rulename = '_RETURN' AND " NOT_SYSTEM "ORDER BY r.ev_class",
    [CATALOGUE_FUNCTIONS] =
        "SELECT DISTINCT n.nspname, p.proname, n.nspname COLLATE \"C\", p.proname COLLATE \"C\" "
        "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE p.oid >= 16384 OR " NOT_SYSTEM "ORDER BY 3, 4",
    [CATALOGUE_OPERATORS] =
        "SELECT DISTINCT n.nspname, o.oprname, n.nspname COLLATE \"C\", o.oprname COLLATE \"C\" "
        "FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace "
        "WHERE o.oid >= 16384 ORDER BY 3, 4",
    [CATALOGUE_TYPES] =
        "SELECT DISTINCT n.nspname, t.typname, n.nspname COLLATE \"C\", t.typname COLLATE \"C\" "
        "FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
        "WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast|temp_)' ORDER BY 3, 4",
    /* Enums; domains without a check over built-in types; rows of tables and arrays of such run
     * nothing of their own either, but are not values one writes a literal of. */
    [CATALOGUE_HARMLESS_TYPES] =
        "SELECT n.nspname, t.typname FROM pg_catalog.pg_type t "
        "JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid >= 16384 AND "
        "(t.typtype = 'e' OR (t.typtype = 'd' AND t.typbasetype < 16384 AND NOT EXISTS ("
        "SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid))) "
        "ORDER BY n.nspname COLLATE \"C\", t.typname COLLATE \"C\"",
    /* target type's name, applies by itself */
    [CATALOGUE_CASTS] =
        "SELECT t.typname, CASE WHEN k.castcontext IN ('i','a') THEN '1' ELSE '0' END "
        "FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_type t ON t.oid = k.casttarget "
        "WHERE k.oid >= 16384 AND k.castfunc <> 0 AND k.castfunc >= 16384",
    [CATALOGUE_PATH] =
        "SELECT coalesce((SELECT substr(s.c, 13) FROM pg_catalog.pg_db_role_setting r, "
        "LATERAL unnest(r.setconfig) AS s(c) WHERE s.c LIKE 'search_path=%' "
        "AND (r.setrole = current_user::regrole OR r.setrole = 0) "
        "AND (r.setdatabase = 0 OR r.setdatabase = (SELECT oid FROM pg_catalog.pg_database "
        "WHERE datname = current_database())) "
        "ORDER BY r.setdatabase <> 0 AND r.setrole <> 0 DESC, r.setrole <> 0 DESC, "
        "r.setdatabase <> 0 DESC LIMIT 1), boot_val) FROM pg_catalog.pg_settings "
        "WHERE name = 'search_path'",
};

const char *catalogue_query(CatalogueQuery q)
{
    return QUERIES[q];
}
