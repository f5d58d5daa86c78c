"""Faults of the data-processor."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

_IN = "services/data-processor/data_processor"
_ACCESS = f"{_IN}/access.py"
_DOCUMENTS = f"{_IN}/documents/services.py"
_SERVING = f"{_IN}/documents/serving.py"
_INSPECT = f"{_IN}/documents/files/inspect.py"
_ANNOTATIONS = f"{_IN}/annotations/services.py"
_TEMPLATES = f"{_IN}/templates/services.py"
_CONFIG = f"{_IN}/config.py"
_MIDDLEWARE = f"{_IN}/web/middleware.py"

AREA = Area(
    "data-processor",
    modules=(
        "smoke/test_accounts.py", "smoke/test_annotations.py", "smoke/test_answers.py", "smoke/test_deletions.py",
        "smoke/test_documents.py", "smoke/test_health.py", "smoke/test_isolation.py", "smoke/test_templates.py",
    ),
    faults=(
        Fault("stranger-lists-documents", "lists of a channel are shown to users who are no members",
              Patch(_ACCESS, 'if rows[0]["member"] is None:', "if not rows:"),
              {"smoke/test_access.py::test_users_may_do_what_the_rules_say[GET /data-processor/documents/?channel_id={private}]": "outsider: expected 403 not_a_member, got 200"}),
        Fault("stranger-reads-document", "single objects are shown to users who are no members of their channel",
              Patch(_ACCESS, 'if row.pop("member") is None:', 'if row.pop("member") == 0:'),
              {"smoke/test_documents.py::test_documents_of_other_channels_are_refused": "expected 403, got 200", "smoke/test_templates.py::test_templates_of_other_channels_are_refused": "expected 403, got 200"}),
        Fault("stranger-renames-document", "a user who is no member can rename a document",
              Patch(_DOCUMENTS, "updated_at = clock_timestamp() FROM memberships m\n    WHERE d.id = %(document_id)s AND "
                    "m.channel_id = d.channel_id AND m.user_id = %(user_id)s",
                    "updated_at = clock_timestamp()\n    WHERE d.id = %(document_id)s"),
              {"smoke/test_access.py::test_users_may_do_what_the_rules_say[PATCH /data-processor/documents/{document}/]": "outsider: expected 403 not_a_member, got 200"}),
        Fault("member-deletes-any-document", "every member can delete every document of a channel",
              Patch(_DOCUMENTS, "(d.uploaded_by = m.user_id OR c.created_by = m.user_id OR %(is_operator)s)",
                    "(true OR %(is_operator)s)"),
              {"smoke/test_access.py::test_users_may_do_what_the_rules_say[DELETE /data-processor/documents/{document}/]": "member: expected 403 forbidden, got 204"}),
        Fault("uploader-cannot-delete", "the uploader of a document cannot delete it",
              Patch(_DOCUMENTS, "(d.uploaded_by = m.user_id OR c.created_by", "(c.created_by"),
              {"smoke/test_access.py::test_users_may_do_what_the_rules_say[DELETE /data-processor/documents/{document}/]": "uploader: expected 204, got 403 forbidden"}),
        Fault("stranger-deletes-template", "a user who is no member can delete a template",
              Patch(_TEMPLATES, "DELETE FROM templates t USING memberships m\n    WHERE t.id = %(template_id)s AND "
                    "m.channel_id = t.channel_id AND m.user_id = %(user_id)s",
                    "DELETE FROM templates t\n    WHERE t.id = %(template_id)s"),
              {"smoke/test_access.py::test_users_may_do_what_the_rules_say[DELETE /data-processor/templates/{template}/]": "outsider: expected 403 not_a_member, got 204"}),
        Fault("webp-not-taken", "WebP images are refused",
              Patch(_INSPECT, 'data[8:12] == b"WEBP"', 'data[8:12] == b"WEBX"'),
              {"smoke/test_limits.py::test_every_accepted_type_of_document_is_stored[image/webp]": "expected 201, got 415"}),
        Fault("jpeg-not-taken", "JPEG images are refused",
              Patch(_INSPECT, 'data.startswith(b"\\xff\\xd8\\xff")', 'data.startswith(b"\\xff\\xd8\\xfe")'),
              {"smoke/test_limits.py::test_every_accepted_type_of_document_is_stored[image/jpeg]": "expected 201, got 415"}),
        Fault("gif-taken-for-png", "files of other types are taken as PNG by their name's sake",
              Patch(_INSPECT, '    if data.startswith(b"\\x89PNG\\r\\n\\x1a\\n"):', '    if data[:3] in (b"\\x89PN", b"GIF"):'),
              {"smoke/test_documents.py::test_invalid_files_are_refused_and_not_stored[other-format]": "expected 415, got 422", "smoke/test_limits.py::test_other_images_are_refused[gif]": "expected 415, got 422"}),
        Fault("upload-limit-too-low", "documents within the documented size are refused",
              Patch(_CONFIG, "25 * 1024**2, ge=1024", "5 * 1024**2, ge=1024"),
              {"smoke/test_limits.py::test_the_size_of_documents_is_limited": "expected 201, got 413"}),
        Fault("upload-limit-too-high", "documents beyond the documented size are taken",
              Patch(_CONFIG, "25 * 1024**2, ge=1024", "29 * 1024**2, ge=1024"),
              {"smoke/test_limits.py::test_the_size_of_documents_is_limited": "expected 413, got 201", "smoke/test_documents.py::test_invalid_files_are_refused_and_not_stored[oversized]": "expected 413, got 201"}),
        Fault("too-many-pixels-taken", "images with more pixels than documented are decoded",
              Patch(_CONFIG, "Field(40_000_000, ge=1", "Field(400_000_000, ge=1"),
              {"smoke/test_limits.py::test_the_number_of_pixels_is_limited": "expected 422, got 201"}),
        Fault("json-limit-too-high", "the data-processor takes larger bodies than documented",
              Patch(_CONFIG, "body_max_bytes: int = Field(1024**2, ge", "body_max_bytes: int = Field(8 * 1024**2, ge"),
              {"smoke/test_limits.py::test_the_size_of_bodies_for_the_data_processor_is_limited": "expected 413, got 200"}),
        Fault("hash-of-wrong-algorithm", "the stored hash of a document is not its SHA-256",
              Patch(_DOCUMENTS, "hashlib.sha256(data)", "hashlib.sha3_256(data)"),
              {"smoke/test_documents.py::test_an_upload_is_stored_with_its_content": "=="}),
        Fault("upload-not-announced", "the members do not hear of an upload",
              Patch(_DOCUMENTS, "    events.publish(Event(channel_id, frame))\n", "    events.publish(Event(None, frame))\n"),
              {'smoke/test_documents.py::test_members_are_notified_of_an_upload': "no 'document_uploaded' frame"}),
        Fault("files-run-scripts", "a stored file is served without the policy that keeps it from running scripts",
              Patch(_SERVING, '    response.headers["Content-Security-Policy"] = _POLICY\n', "    _ = _POLICY\n"),
              {"smoke/test_exact_answers.py::test_files_are_served_so_that_they_can_do_no_harm": "content-security-policy"}),
        Fault("etag-ignored", "a file is sent again to a client that has it",
              Patch(_SERVING, '    if wanted is None:\n', '    if wanted != "*":\n'),
              {"smoke/test_exact_answers.py::test_a_file_that_the_client_has_is_not_sent_again": "304"}),
        Fault("thumbnails-too-large", "thumbnails are larger than documented",
              Patch(f"{_IN}/documents/files/thumbnail.py", "BOX = (320, 320)", "BOX = (1600, 1600)"),
              {"smoke/test_exact_answers.py::test_thumbnails_fit_into_their_square": "320"}),
        Fault("paths-in-names", "a document keeps the path that a client put before its name",
              Patch(f"{_IN}/documents/files/names.py", '.rstrip("/").rpartition("/")[2]', '.rstrip("/")'),
              {"smoke/test_documents.py::test_paths_are_removed_from_file_names": "passwd"}),
        Fault("boxes-leave-page", "an annotation may lie outside of its page",
              Patch(_ANNOTATIONS, "AND {x} + {width} <= d.page_widths[{page}] * (1 + %(epsilon)s::float8)",
                    "AND d.page_widths[{page}] > 0 AND %(epsilon)s::float8 > 0"),
              {"smoke/test_annotations.py::test_invalid_annotations_are_refused": "expected 422, got 201"}),
        Fault("documents-may-be-cached", "answers of the data-processor may be kept by caches",
              Patch(_MIDDLEWARE, 'response.headers["Cache-Control"] = "no-store"',
                    'response.headers["Cache-Control"] = "max-age=60"'),
              {"smoke/test_answers.py::test_answers_to_sessions_have_no_store_and_nosniff": "no-store"}),
        Fault("export-pretends", "a call that this release does not carry out answers as if it did",
              Patch(f"{_IN}/not_implemented.py",
                    '    raise NotImplementedYetError("documents are stored and not yet exported; their annotations can be read")',
                    "    from django.http import HttpResponse\n\n    return HttpResponse(status=202)"),
              {"smoke/test_access.py::test_users_may_do_what_the_rules_say[POST /data-processor/documents/{document}/export/]": "expected 501 not_implemented, got 202"}),
        Fault("data-processor-says-other-version", "the data-processor reports another version than the stack's",
              Patch(f"{_IN}/health/apis.py", "schema_revision=revision, reason=reason)",
                    "schema_revision=revision, reason=reason) | dict(version='0.0.9')"),
              {"smoke/test_health.py::test_health_names_service_version_and_deployment[data-processor-/data-processor/health]": "0.0.9"}),
    ),
)  # fmt: skip
