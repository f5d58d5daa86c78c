"""Routes of applying templates."""

from __future__ import annotations

from servicekit.codes import Code

from data_processor import access
from data_processor.annotations.apis import Confidence
from data_processor.applying import services, texts
from data_processor.applying.services import Applied
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.slow_lane import slow_lane


class ApplyInput(bodies.Body):
    """A template, and how to apply it.

    Values below `confidence_threshold` stay pending. Without `use_feature_matching`, labels are looked for at their
    position. With `force_apply`, they are also where the page cannot be found for sure; nothing of it is then valid.
    """

    model_config = bodies.example(template_id=1, confidence_threshold=0.8)

    template_id: bodies.Id
    confidence_threshold: Confidence = 0.6
    use_feature_matching: bool = True
    force_apply: bool = False


@operation(
    refuses=(
        *access.refusals(Code.NO_SUCH_DOCUMENT),
        Code.NO_SUCH_TEMPLATE,
        Code.TEMPLATE_CHANGED,
        *texts.REFUSALS,
    )
)
def template_apply(caller: Caller, document_id: int, body: ApplyInput) -> Applied:
    """Apply a template to a document, or apply it again: nothing is doubled, and a person's word stays."""
    with slow_lane("changes"):
        return services.template_apply(
            document_id=document_id,
            template_id=body.template_id,
            user_id=caller.user_id,
            confidence_threshold=body.confidence_threshold,
            use_feature_matching=body.use_feature_matching,
            force=body.force_apply,
            unread_max=texts.UNREAD_MAX,
        )
