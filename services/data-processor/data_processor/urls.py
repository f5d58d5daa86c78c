"""Every address of the service, in the order of the contract."""

from django.urls import include, path

from data_processor import openapi
from data_processor.annotations import apis as annotations
from data_processor.applying import apis as applying
from data_processor.batches import apis as batches
from data_processor.documents import apis as documents
from data_processor.exports import apis as exports
from data_processor.health import apis as health
from data_processor.reading import apis as reading
from data_processor.templates import apis as templates
from data_processor.web import operators
from data_processor.web.routing import Methods

_routes = [
    path("openapi.json", Methods(GET=openapi.openapi)),
    path("health", Methods(GET=health.health)),
    path("health/live", Methods(GET=health.live)),
    path("documents/", Methods(GET=documents.document_list, POST=documents.document_create)),
    path(
        "documents/<id:document_id>/",
        Methods(GET=documents.document_read, PATCH=documents.document_update, DELETE=documents.document_delete),
    ),
    path("documents/<id:document_id>/content", Methods(GET=documents.document_content)),
    path("documents/<id:document_id>/thumbnail", Methods(GET=documents.document_thumbnail)),
    path("documents/<id:document_id>/process/", Methods(POST=reading.document_process)),
    path("documents/<id:document_id>/pages/<id:page>/text", Methods(GET=reading.page_text_read)),
    path("documents/<id:document_id>/pages/<id:page>/image", Methods(GET=reading.page_image_read)),
    path(
        "documents/<id:document_id>/annotations/",
        Methods(GET=annotations.annotation_list, POST=annotations.annotation_create),
    ),
    path(
        "documents/<id:document_id>/annotations/<id:annotation_id>/",
        Methods(
            GET=annotations.annotation_read,
            PUT=annotations.annotation_replace,
            PATCH=annotations.annotation_update,
            DELETE=annotations.annotation_delete,
        ),
    ),
    path("templates/", Methods(GET=templates.template_list, POST=templates.template_create)),
    path(
        "templates/<id:template_id>/",
        Methods(GET=templates.template_read, PUT=templates.template_replace, DELETE=templates.template_delete),
    ),
    path("documents/<id:document_id>/apply-template/", Methods(POST=applying.template_apply)),
    path("documents/<id:document_id>/export/", Methods(POST=exports.document_export)),
    path("batch/", Methods(GET=batches.batch_list, POST=batches.batch_create)),
    path("batch/<id:batch_id>/", Methods(GET=batches.batch_read)),
    path("batch/<id:batch_id>/items/", Methods(GET=batches.batch_items)),
    path("batch/<id:batch_id>/cancel/", Methods(POST=batches.batch_cancel)),
    path("batch/<id:batch_id>/retry/", Methods(POST=batches.batch_retry)),
    path("batch/<id:batch_id>/export/", Methods(GET=exports.batch_export)),
    path("export/", Methods(GET=exports.channel_export)),
]

urlpatterns = [
    path("data-processor/", include(_routes)),
    path("auth/operator", Methods(GET=operators.operator_check)),
]

handler400 = "data_processor.web.errors.bad_request"
handler404 = "data_processor.web.errors.not_found"
handler500 = "data_processor.web.errors.server_error"
