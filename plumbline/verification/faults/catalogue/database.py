"""Faults of the schema and of the cluster."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import ClusterFile, Fault, Sql, Superuser


def _index(name: str, definition: str) -> Sql:
    return Sql(f"DROP INDEX {name}", f"CREATE {definition}")


def _constraint(table: str, name: str, definition: str) -> Sql:
    return Sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}", f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _foreign_key(table: str, name: str, deferred: str) -> Sql:
    """Drop the key of a table to its channels; to take that back, delete what has lost its channel meanwhile."""
    lost = f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT FROM channels c WHERE c.id = t.channel_id)"  # noqa: S608
    key = f"FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE {deferred}"
    return Sql(
        f"ALTER TABLE {table} DROP CONSTRAINT {name}", f"{lost}; ALTER TABLE {table} ADD CONSTRAINT {name} {key}"
    )


_DJANGO_KEY = "DEFERRABLE INITIALLY DEFERRED"
_PROCESSOR = ("data-processor",)
"""What has prepared statements about a column that changes."""

AREA = Area(
    "database",
    modules=("smoke/test_health.py", "smoke/test_schema.py", "smoke/test_stores.py"),
    faults=(
        Fault("index-of-messages-missing", "the index that pages of messages are read by is missing",
              _index("messages_channel_id_idx",
                     "INDEX messages_channel_id_idx ON messages (channel_id, target_user_id, id)"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index messages_channel_id_idx is missing"}),
        Fault("index-of-members-missing", "the index of a user's channels is missing",
              _index("memberships_user_id_idx", "INDEX memberships_user_id_idx ON memberships (user_id, channel_id)"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index memberships_user_id_idx is missing"}),
        Fault("index-in-other-order", "the index of a channel's documents has its columns in another order",
              Sql("DROP INDEX documents_channel_id_idx; CREATE INDEX documents_channel_id_idx ON documents (id, channel_id)",
                  "DROP INDEX documents_channel_id_idx; CREATE INDEX documents_channel_id_idx ON documents (channel_id, id)"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index documents_channel_id_idx differs"}),
        Fault("index-not-unique", "the index that keeps labels of a template apart is not unique",
              Sql("DROP INDEX template_labels_name_key; "
                  "CREATE INDEX template_labels_name_key ON template_labels (template_id, lower(name))",
                  "DROP INDEX template_labels_name_key; "
                  "CREATE UNIQUE INDEX template_labels_name_key ON template_labels (template_id, lower(name))"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index template_labels_name_key differs"}),
        Fault("partial-index-whole", "an index for deletions covers rows that it is not meant for",
              Sql("DROP INDEX messages_sender_id_idx; CREATE INDEX messages_sender_id_idx ON messages (sender_id)",
                  "DROP INDEX messages_sender_id_idx; "
                  "CREATE INDEX messages_sender_id_idx ON messages (sender_id) WHERE sender_id IS NOT NULL"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index messages_sender_id_idx differs"}),
        Fault("index-too-many", "a table has an index that is not declared",
              Sql("CREATE INDEX messages_content_idx ON messages (content)", "DROP INDEX messages_content_idx"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index messages_content_idx is not declared"}),
        Fault("template-names-not-unique", "the index that keeps template names apart is missing",
              _index("templates_name_key", "UNIQUE INDEX templates_name_key ON templates (lower(name), channel_id)"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "index templates_name_key is missing"}),
        Fault("foreign-key-missing", "messages may be of a channel that is not there",
              _foreign_key("messages", "messages_channel_id_fkey", ""),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint messages_channel_id_fkey is missing", "smoke/test_deletions.py::test_deleting_a_channel_deletes_its_content": "=="}),
        Fault("foreign-key-across-services-missing", "documents may be of a channel that is not there",
              _foreign_key("documents", "documents_channel_id_e90e4ced_fk_channels_id", _DJANGO_KEY),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint documents_channel_id_e90e4ced_fk_channels_id is missing", "smoke/test_deletions.py::test_deleting_a_channel_deletes_its_content": "=="}),
        Fault("channel-keeps-its-documents", "a channel with documents cannot be deleted",
              Sql("ALTER TABLE documents DROP CONSTRAINT documents_channel_id_e90e4ced_fk_channels_id, "
                  "ADD CONSTRAINT documents_channel_id_e90e4ced_fk_channels_id "
                  f"FOREIGN KEY (channel_id) REFERENCES channels (id) {_DJANGO_KEY}",
                  "ALTER TABLE documents DROP CONSTRAINT documents_channel_id_e90e4ced_fk_channels_id, "
                  "ADD CONSTRAINT documents_channel_id_e90e4ced_fk_channels_id "
                  f"FOREIGN KEY (channel_id) REFERENCES channels (id) ON DELETE CASCADE {_DJANGO_KEY}"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint documents_channel_id_e90e4ced_fk_channels_id differs", "smoke/test_deletions.py::test_deleting_a_channel_deletes_its_content": "204", "smoke/test_deletions.py::test_deleting_an_account_keeps_its_content_without_a_name": "404 == 204", "left behind": "answered 404"}),
        Fault("messages-go-with-their-sender", "the messages of a deleted user are deleted, too",
              Sql("ALTER TABLE messages DROP CONSTRAINT messages_sender_id_fkey, ADD CONSTRAINT messages_sender_id_fkey "
                  "FOREIGN KEY (sender_id) REFERENCES users (id) ON DELETE CASCADE",
                  "ALTER TABLE messages DROP CONSTRAINT messages_sender_id_fkey, ADD CONSTRAINT messages_sender_id_fkey "
                  "FOREIGN KEY (sender_id) REFERENCES users (id) ON DELETE SET NULL"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint messages_sender_id_fkey differs", "smoke/test_deletions.py::test_deleting_an_account_keeps_its_content_without_a_name": "messages has 0 rows"}),
        Fault("batch-key-not-deferred", "a foreign key is checked at once and not at the end of a transaction",
              Sql("ALTER TABLE batch_jobs ALTER CONSTRAINT batch_jobs_template_id_0fa0094f_fk_templates_id NOT DEFERRABLE",
                  f"ALTER TABLE batch_jobs ALTER CONSTRAINT batch_jobs_template_id_0fa0094f_fk_templates_id {_DJANGO_KEY}"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint batch_jobs_template_id_0fa0094f_fk_templates_id differs"}),
        Fault("check-of-pages-missing", "an annotation of page 0 can be stored",
              _constraint("annotations", "annotations_page_check", "CHECK (page >= 1)"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint annotations_page_check is missing"}),
        Fault("check-of-types-wider", "a document of another type can be stored",
              Sql("ALTER TABLE documents DROP CONSTRAINT documents_media_type_check, ADD CONSTRAINT "
                  "documents_media_type_check CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp', "
                  "'image/tiff', 'image/heic', 'application/pdf', 'text/html'))",
                  "ALTER TABLE documents DROP CONSTRAINT documents_media_type_check, ADD CONSTRAINT "
                  "documents_media_type_check CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp', "
                  "'image/tiff', 'image/heic', 'application/pdf'))"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint documents_media_type_check differs"}),
        Fault("check-not-validated", "a check holds for new rows alone",
              Sql("ALTER TABLE batch_jobs DROP CONSTRAINT batch_jobs_status_check, ADD CONSTRAINT batch_jobs_status_check "
                  "CHECK (status IN ('pending', 'running', 'done', 'failed')) NOT VALID",
                  "ALTER TABLE batch_jobs VALIDATE CONSTRAINT batch_jobs_status_check"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "constraint batch_jobs_status_check differs"}),
        Fault("default-missing", "an annotation has no status of its own accord",
              Sql("ALTER TABLE annotations ALTER validation_status DROP DEFAULT",
                  "ALTER TABLE annotations ALTER validation_status SET DEFAULT 'pending'"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column validation_status differs"}),
        Fault("default-different", "new users are operators of their own accord",
              Sql("ALTER TABLE users ALTER is_operator SET DEFAULT true",
                  "ALTER TABLE users ALTER is_operator SET DEFAULT false"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column is_operator differs"}),
        Fault("null-allowed", "a message may have no content",
              Sql("ALTER TABLE messages ALTER content DROP NOT NULL", "ALTER TABLE messages ALTER content SET NOT NULL"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column content differs"}),
        Fault("generated-column-plain", "the number of pages is a plain column that nothing fills",
              Sql("ALTER TABLE documents ALTER page_count DROP EXPRESSION",
                  "ALTER TABLE documents DROP page_count, "
                  "ADD page_count integer GENERATED ALWAYS AS (cardinality(page_widths)) STORED", _PROCESSOR),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column page_count differs"}),
        Fault("column-of-other-type", "the name of a template has a limit that is not declared",
              Sql("ALTER TABLE templates ALTER name TYPE varchar(2000)", "ALTER TABLE templates ALTER name TYPE text",
                  _PROCESSOR),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column name differs"}),
        Fault("column-too-many", "a table has a column that is not declared",
              Sql("ALTER TABLE users ADD password text", "ALTER TABLE users DROP password"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column password is not declared"}),
        Fault("table-too-many", "there is a table that is not declared",
              Sql("CREATE TABLE users_backup AS SELECT * FROM users", "DROP TABLE users_backup"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "users_backup is not declared"}),
        Fault("trigger-on-messages", "a trigger changes what is stored",
              Sql("CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; "
                  "CREATE TRIGGER spoil BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION spoil()",
                  "DROP TRIGGER spoil ON messages; DROP FUNCTION spoil()"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "trigger spoil is not declared"}),
        Fault("messages-unlogged", "messages do not survive a crash of Postgres",
              Sql("ALTER TABLE messages SET UNLOGGED", "ALTER TABLE messages SET LOGGED"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "persistence differs"}),
        Fault("ids-may-be-given", "an INSERT of a user can set the id",
              Sql("ALTER TABLE users ALTER id SET GENERATED BY DEFAULT", "ALTER TABLE users ALTER id SET GENERATED ALWAYS"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column id differs"}),
        Fault("revision-unknown", "the database is at a revision that this release does not know",
              Sql("UPDATE alembic_version SET version_num = version_num || 'x'",
                  "UPDATE alembic_version SET version_num = rtrim(version_num, 'x')"),
              {"the stack": "backend"}),
        Fault("readiness-of-another-component", "the backend's readiness is recorded under the name of another component",
              Sql("UPDATE stack_events SET component = 'log-sink' WHERE component = 'backend' AND event = 'ready'",
                  "UPDATE stack_events SET component = 'backend' WHERE component = 'log-sink' AND event = 'ready'"),
              {"smoke/test_ordering.py::test_services_became_ready_after_both_migrations": "log-sink: there is a record of it"}),
        Fault("everybody-may-read", "every role of the cluster may read the users",
              Sql("GRANT SELECT ON users TO PUBLIC", "REVOKE SELECT ON users FROM PUBLIC"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "rights of others differs"}),
        Fault("application-is-superuser", "the application's role is a superuser",
              Superuser("ALTER ROLE app_user SUPERUSER;", "ALTER ROLE app_user NOSUPERUSER;"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_roles_and_databases": "app_user"}),
        Fault("application-creates-databases", "the application's role may create roles and databases",
              Superuser("ALTER ROLE app_user CREATEDB CREATEROLE;", "ALTER ROLE app_user NOCREATEDB NOCREATEROLE;"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_roles_and_databases": "app_user"}),
        Fault("superuser-has-password", "the superuser has a password, so a client could log in as it",
              Superuser("ALTER ROLE postgres PASSWORD 'postgres';", "ALTER ROLE postgres PASSWORD NULL;"),
              {"smoke/test_stores.py::test_no_role_of_postgres_has_a_password_that_can_be_guessed": "postgres can log in to", "smoke/test_stores.py::test_the_superuser_of_postgres_has_no_password": "the role postgres has a password"}),
        Fault("superuser-has-long-password", "the superuser has a password that is hard to guess",
              Superuser("ALTER ROLE postgres PASSWORD 'Zk38fhqpw0ZmdkfW';", "ALTER ROLE postgres PASSWORD NULL;"),
              {"smoke/test_stores.py::test_the_superuser_of_postgres_has_no_password": "the role postgres has a password"}),
        Fault("role-too-many", "the cluster has a role that is not declared",
              Superuser("CREATE ROLE guest LOGIN PASSWORD 'guest';", "DROP ROLE guest;"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_roles_and_databases": "there is a role guest"}),
        Fault("fsync-off", "Postgres does not wait for the disk: a power cut costs the database",
              ClusterFile("postgresql.conf", "fsync = off"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "fsync is off"}),
        Fault("synchronous-commit-off", "Postgres answers before a commit is on the disk",
              ClusterFile("postgresql.conf", "synchronous_commit = off"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "synchronous_commit is off"}),
        Fault("full-page-writes-off", "a torn page cannot be mended after a power cut",
              ClusterFile("postgresql.conf", "full_page_writes = off"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "full_page_writes is off"}),
        Fault("statements-logged", "Postgres logs every statement, with what users said",
              ClusterFile("postgresql.conf", "log_statement = 'all'"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "log_statement is all"}),
        Fault("trust-authentication", "Postgres lets every account of the machine in without a password",
              ClusterFile("pg_hba.conf", "host all all 127.0.0.1/32 trust", first=True),
              {"smoke/test_isolation.py::test_postgres_refuses_other_local_users": "was accepted; expected OperationalError", "smoke/test_health.py::test_postgres_refuses_a_wrong_password": "a client with a wrong password: was accepted", "smoke/test_stores.py::test_postgres_asks_every_client_for_a_password": "lets clients in by trust", "smoke/test_stores.py::test_no_role_of_postgres_has_a_password_that_can_be_guessed": "can log in to"}),
        Fault("passwords-sent-plainly", "Postgres takes passwords in the clear",
              ClusterFile("pg_hba.conf", "host all all 127.0.0.1/32 password", first=True),
              {"smoke/test_stores.py::test_postgres_asks_every_client_for_a_password": "lets clients in by password",
               "smoke/test_stores.py::test_no_role_of_postgres_has_a_password_that_can_be_guessed": "by another method than SCRAM"}),
        Fault("postgres-open-to-network", "Postgres lets other hosts log in",
              ClusterFile("pg_hba.conf", "host all all 0.0.0.0/0 scram-sha-256"),
              {"smoke/test_stores.py::test_postgres_asks_every_client_for_a_password": "lets in 0.0.0.0"}),
        Fault("transactions-idle-for-ever", "a forgotten transaction holds its locks for ever",
              ClusterFile("postgresql.conf", "idle_in_transaction_session_timeout = 0"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "idle_in_transaction_session_timeout is 0"}),
        Fault("hashes-readable", "every role of the cluster may read the hashes of passwords",
              Sql("GRANT SELECT (password_hash) ON users TO PUBLIC", "REVOKE SELECT (password_hash) ON users FROM PUBLIC"),
              {"smoke/test_schema.py::test_the_database_has_exactly_the_declared_schema": "column password_hash differs"}),
        Fault("setting-too-many", "Postgres has a setting that no deployment makes",
              ClusterFile("postgresql.conf", "statement_timeout = '1h'"),
              {"smoke/test_stores.py::test_postgres_has_the_declared_settings": "expected it not to be set"}),
    ),
)  # fmt: skip
