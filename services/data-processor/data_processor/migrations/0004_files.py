"""More kinds of files, their damage, and equal files stored once.

`document_contents` had a row for each document. It has one for each file now, by its hash, and documents refer to it.
All of it happens in Postgres: bytes that stay are not copied. Going back copies the bytes to each document again.
"""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

_TYPES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/heic", "application/pdf")

_BY_HASH = """
ALTER TABLE document_contents ADD COLUMN sha256 varchar(64);
UPDATE document_contents c SET sha256 = d.sha256 FROM documents d WHERE d.id = c.document_id;

-- Equal bytes only: if two files had one hash, the primary key would be refused, and nothing would be lost.
DELETE FROM document_contents c
USING document_contents kept, (
    SELECT document_id, first_value(document_id) OVER (PARTITION BY sha256 ORDER BY document_id) AS first
    FROM document_contents
) equal
WHERE c.document_id = equal.document_id AND kept.document_id = equal.first AND equal.first <> equal.document_id
  AND kept.data = c.data;

ALTER TABLE document_contents
    DROP COLUMN document_id,
    ALTER COLUMN sha256 SET NOT NULL,
    ADD CONSTRAINT document_contents_pkey PRIMARY KEY (sha256),
    ADD CONSTRAINT document_contents_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$');
ALTER TABLE documents
    DROP CONSTRAINT documents_sha256_check,
    ADD CONSTRAINT documents_sha256_fk FOREIGN KEY (sha256) REFERENCES document_contents (sha256)
        DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX documents_sha256_idx ON documents (sha256);

-- Documents are also deleted with their channel, which the backend does. An upload of the same file locks its content
-- until it is committed, and this waits for it: the check below is a statement of its own and sees the new document.
CREATE FUNCTION delete_unused_contents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- In one order, so that two deletions never wait for each other.
    PERFORM FROM public.document_contents WHERE sha256 IN (SELECT sha256 FROM gone) ORDER BY sha256 FOR UPDATE;
    DELETE FROM public.document_contents c
    WHERE c.sha256 IN (SELECT sha256 FROM gone)
      AND NOT EXISTS (SELECT FROM public.documents d WHERE d.sha256 = c.sha256);
    RETURN NULL;
END $$;
CREATE TRIGGER documents_delete_unused_contents AFTER DELETE ON documents
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION delete_unused_contents();
"""

_BY_DOCUMENT = """
DROP TRIGGER documents_delete_unused_contents ON documents;
DROP FUNCTION delete_unused_contents();
DROP INDEX documents_sha256_idx;
ALTER TABLE documents
    DROP CONSTRAINT documents_sha256_fk,
    ADD CONSTRAINT documents_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$');
ALTER TABLE document_contents
    DROP CONSTRAINT document_contents_pkey,
    DROP CONSTRAINT document_contents_sha256_check,
    ADD COLUMN document_id bigint;
INSERT INTO document_contents (document_id, sha256, data, thumbnail)
    SELECT d.id, c.sha256, c.data, c.thumbnail FROM documents d JOIN document_contents c USING (sha256);
DELETE FROM document_contents WHERE document_id IS NULL;
ALTER TABLE document_contents
    DROP COLUMN sha256,
    ADD CONSTRAINT document_contents_pkey PRIMARY KEY (document_id),
    ADD CONSTRAINT document_contents_document_id_9d54c768_fk_documents_id FOREIGN KEY (document_id)
        REFERENCES documents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0003_jobs")]

    operations = [
        migrations.RemoveConstraint("document", "documents_media_type_check"),
        migrations.AddConstraint(
            "document",
            models.CheckConstraint(condition=models.Q(media_type__in=_TYPES), name="documents_media_type_check"),
        ),
        migrations.AddField(
            "document",
            "damage",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(), size=None, db_default=models.Value([])
            ),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(_BY_HASH, _BY_DOCUMENT)],
            [
                migrations.RemoveField("documentcontent", "document"),
                migrations.AddField(
                    "documentcontent", "sha256", models.CharField(max_length=64, primary_key=True, serialize=False)
                ),
                migrations.RemoveConstraint("document", "documents_sha256_check"),
                migrations.RemoveField("document", "sha256"),
                migrations.AddField(
                    "document",
                    "file",
                    models.ForeignKey(
                        db_column="sha256",
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="documents",
                        to="data_processor.documentcontent",
                    ),
                ),
                migrations.AddIndex("document", models.Index(fields=["file"], name="documents_sha256_idx")),
                migrations.AddConstraint(
                    "documentcontent",
                    models.CheckConstraint(
                        condition=models.Q(sha256__regex="^[0-9a-f]{64}$"), name="document_contents_sha256_check"
                    ),
                ),
            ],
        ),
    ]
