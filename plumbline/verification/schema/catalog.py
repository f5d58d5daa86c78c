"""Reads the schema of a database from `pg_catalog`, each object as one line of SQL or plain words."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

Schema = dict[str, dict[str, dict[str, str]]]
"""Relation to kind of object to name to definition. Functions and types stand under `OUTSIDE`."""
OUTSIDE = "outside of tables"
ITSELF = "itself"
"""The kind of what is said of a relation as a whole."""

_RELATIONS = """
SELECT c.oid, c.relname,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table'
         WHEN 'S' THEN 'sequence' ELSE 'view ' || pg_get_viewdef(c.oid, true) END,
       pg_get_userbyid(c.relowner),
       CASE c.relpersistence WHEN 'p' THEN 'logged' ELSE 'unlogged' END,
       CASE WHEN c.relrowsecurity OR c.relforcerowsecurity THEN 'on' ELSE 'off' END,
       coalesce(nullif(concat_ws(', ', array_to_string(c.reloptions, ', '),
           (SELECT 'toast.' || array_to_string(o.reloptions, ', toast.') FROM pg_class o WHERE o.oid = c.reltoastrelid),
           CASE c.relreplident WHEN 'd' THEN NULL WHEN 'n' THEN CASE c.relkind WHEN 'r' THEN 'no replica identity' END
             ELSE 'another replica identity' END,
           (SELECT 'tablespace ' || spcname FROM pg_tablespace WHERE oid = c.reltablespace)), ''), 'none'),
       coalesce((SELECT string_agg(
           concat_ws(' ', coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), a.privilege_type), ', ' ORDER BY 1)
         FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner), 'none')
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
ORDER BY c.relname
"""
_OF_RELATIONS = {
    "column": """
SELECT a.attrelid, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
    (SELECT 'COLLATE ' || quote_ident(l.collname) FROM pg_collation l
     WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation),
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    CASE WHEN a.attgenerated = 's' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid, true) || ') STORED'
         WHEN a.attidentity <> '' THEN 'GENERATED ' || CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END
           || ' AS IDENTITY (' || (SELECT format('%%s from %%s by %%s, %%s to %%s, cache %%s%%s', s.seqtypid::regtype,
             s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ', cycles' END)
             FROM pg_depend i JOIN pg_sequence s ON s.seqrelid = i.objid
             WHERE i.refobjid = a.attrelid AND i.refobjsubid = a.attnum AND i.deptype = 'i') || ')'
         WHEN d.adbin IS NOT NULL THEN 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid, true) END,
    CASE a.attcompression WHEN '' THEN NULL ELSE 'COMPRESSION ' || a.attcompression::text END,
    CASE WHEN a.attstattarget >= 0 THEN 'STATISTICS ' || a.attstattarget END,
    'WITH (' || array_to_string(a.attoptions, ', ') || ')',
    'rights of others ' || a.attacl::text,
    CASE WHEN a.attstorage <> t.typstorage THEN 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN'
         WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY (%(relations)s)
ORDER BY a.attnum""",
    "constraint": """
SELECT conrelid, conname, pg_get_constraintdef(oid, true) FROM pg_constraint
WHERE contype <> 't' AND conrelid = ANY (%(relations)s)
ORDER BY 2""",
    "index": """
SELECT i.indrelid, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    || CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN '' ELSE ' (not valid)' END
    || CASE WHEN i.indisclustered THEN ' (clustered)' ELSE '' END
FROM pg_index i WHERE i.indrelid = ANY (%(relations)s)
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
                  AND i.indisvalid AND i.indisready AND i.indislive AND NOT i.indisclustered)
ORDER BY 2""",
    "trigger": """
SELECT tgrelid, tgname, pg_get_triggerdef(oid, true) || CASE tgenabled WHEN 'O' THEN '' ELSE ' (not enabled)' END
FROM pg_trigger WHERE (NOT tgisinternal OR tgenabled <> 'O') AND tgrelid = ANY (%(relations)s)
ORDER BY 2""",
    "rule": """
SELECT ev_class, rulename, pg_get_ruledef(oid, true) FROM pg_rewrite
WHERE rulename <> '_RETURN' AND ev_class = ANY (%(relations)s)
ORDER BY 2""",
    "comment": """
SELECT d.objoid, coalesce(a.attname, 'of the table'), d.description FROM pg_description d
LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE d.classoid = 'pg_class'::regclass AND d.objoid = ANY (%(relations)s)
ORDER BY 2""",
    "policy": """
SELECT polrelid, polname, concat_ws(' ', 'for', polcmd::text, 'using', pg_get_expr(polqual, polrelid, true),
    'with check', pg_get_expr(polwithcheck, polrelid, true))
FROM pg_policy WHERE polrelid = ANY (%(relations)s)
ORDER BY 2""",
}
_OTHERS = {
    "function": """
SELECT p.oid::regprocedure::text, CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1""",
    "type": """
SELECT t.typname, coalesce((SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum e
    WHERE e.enumtypid = t.oid), format_type(nullif(t.typbasetype, 0), t.typtypmod), 'composite')
FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd', 'r', 'c')
  AND (t.typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
ORDER BY 1""",
}
_OTHERS |= {
    "schema": """
SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema') ORDER BY 1""",
    "right to the schema": """
SELECT coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY 1)
FROM pg_namespace n, aclexplode(n.nspacl) a
WHERE n.nspname = 'public' AND a.grantee <> n.nspowner AND NOT (a.grantee = 0 AND a.privilege_type = 'USAGE')
GROUP BY 1 ORDER BY 1""",
    "right to the database": """
SELECT coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY 1)
FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database() AND a.grantee <> d.datdba
  AND NOT (a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY'))
GROUP BY 1 ORDER BY 1""",
    "default right": """
SELECT concat_ws(' ', pg_get_userbyid(defaclrole), defaclobjtype::text), defaclacl::text FROM pg_default_acl
ORDER BY 1""",
    "event trigger": "SELECT evtname, evtevent FROM pg_event_trigger ORDER BY 1",
    "publication": "SELECT pubname, pg_get_userbyid(pubowner) FROM pg_publication ORDER BY 1",
    "statistics": "SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext ORDER BY 1",
    "collation": """
SELECT collname, 'of ' || pg_get_userbyid(collowner) FROM pg_collation WHERE collnamespace = 'public'::regnamespace
ORDER BY 1""",
    "operator": """
SELECT oid::regoperator::text, oprcode::text FROM pg_operator WHERE oprnamespace = 'public'::regnamespace ORDER BY 1""",
    "foreign server": "SELECT srvname, pg_get_userbyid(srvowner) FROM pg_foreign_server ORDER BY 1",
    "large object": "SELECT oid::text, pg_get_userbyid(lomowner) FROM pg_largeobject_metadata ORDER BY 1",
}
_REVISIONS = {
    "alembic_version": "SELECT version_num FROM alembic_version ORDER BY 1",
    "django_migrations": "SELECT app || '.' || name FROM django_migrations ORDER BY id",
}
_FACTS = ("kind", "owner", "persistence", "row security", "options", "rights of others")


def read(database: psycopg.Connection[Any]) -> Schema:
    """Return the schema of the database behind a connection, and the migrations that it says were applied."""
    names: dict[int, str] = {}
    found: Schema = {}
    with database.transaction(), database.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SET LOCAL search_path = public")  # names in definitions depend on it
        for relation_id, name, *facts in cursor.execute(_RELATIONS):
            names[relation_id] = name
            found[name] = {ITSELF: dict(zip(_FACTS, facts, strict=True))}
        for kind, query in _OF_RELATIONS.items():
            for relation_id, name, definition in cursor.execute(query, {"relations": [*names]}):
                found[names[relation_id]].setdefault(kind, {})[name] = " ".join(definition.split())
        for kind, query in _OTHERS.items():
            for name, definition in cursor.execute(query):
                found.setdefault(OUTSIDE, {}).setdefault(kind, {})[name] = " ".join(definition.split())
        for table, query in _REVISIONS.items():
            if table in found:
                found[table]["migration"] = {name: "applied" for (name,) in cursor.execute(query)}
    return found
