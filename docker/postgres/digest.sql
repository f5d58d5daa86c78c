-- Prints what is in the database, a line for each fact, with tabs: `revision`, chain, revision; or `table`, name, rows,
-- checksum, columns, bytes on disk. For psql, in a transaction that sees one moment.
-- A table's checksum is the sum of a 64-bit hash of the text of each row, so the order of rows does not matter.
SET LOCAL search_path = public;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'iso_8601';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SET LOCAL lock_timeout = 0;
SET LOCAL statement_timeout = 0;
SELECT format('SELECT %L, %L, max(%s) FROM %s %s HAVING count(*) > 0', 'revision', chain, revision, source, condition)
FROM (VALUES
    ('backend', 'version_num', 'alembic_version', ''),
    ('data-processor', 'name', 'django_migrations', 'WHERE app = ''data_processor''')
) AS known (chain, revision, source, condition)
WHERE to_regclass(source) IS NOT NULL
ORDER BY chain \gexec
SELECT format(
    'SELECT %L, %L, count(*), coalesce(sum((''x'' || left(md5(r::text), 16))::bit(64)::bigint), 0), %L,'
    ' pg_table_size(%L) FROM ONLY %s AS r',
    'table', c.oid::regclass,
    (SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
     WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    c.oid::regclass, c.oid::regclass
)
FROM pg_class c
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
ORDER BY c.oid::regclass::text \gexec
