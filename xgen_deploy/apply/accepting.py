"""The end of the gate: what the manifest wants answered, and vectors that stay as they were."""

import posixpath
from contextlib import suppress

from xgen_deploy.apply.execution import Execution
from xgen_deploy.errors import XgenError
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.secret_uses import engine_key
from xgen_deploy.verify.acceptance import Acceptance, NoAnswer, kept_vectors, least_cosine
from xgen_deploy.verify.vectors import TEXTS, KeptVectors, too_far

NEW_VECTORS = (
    "an index of earlier vectors would not fit any more. Where that is meant, "
    "`--accept-new-vectors` accepts the new ones"
)


def not_accepted(
    execution: Execution, instance: Instance, key: SecretText | None
) -> tuple[str, KeptVectors | None]:
    """Why it is not accepted, "" where it is; and its vectors, where the host is to keep these from
    now on. Raises HostError.
    """
    accept = instance.declared.accept
    acceptance = Acceptance(instance.spec, execution.context.session, key)
    if accept is not None and (accept.prompts or accept.vectors):
        execution.tell("gate", instance.name, "what the manifest accepts")
        problems = list(acceptance.problems(accept))
        if problems:
            return "; ".join(problems[:3]), None
    if instance.spec.type != "embedding":
        return "", None
    return _changed_vectors(execution, instance, acceptance)


def _changed_vectors(
    execution: Execution, instance: Instance, acceptance: Acceptance
) -> tuple[str, KeptVectors | None]:
    try:
        now = acceptance.reference()
    except NoAnswer as error:
        return str(error), None
    kept = kept_vectors(execution.context.session, execution.context.layout, instance)
    if kept is None or execution.accept_new_vectors:
        return "", now
    least = least_cosine(instance.declared.accept)
    problems = list(too_far(TEXTS, kept.vectors, now.vectors, least))
    if not problems:
        return "", None
    return f"its vectors are not those that it gave before: {problems[0]}; {NEW_VECTORS}", None


def keep_vectors(execution: Execution, instance: str, vectors: KeptVectors | None) -> None:
    """From now on these are what later ones are held against."""
    if vectors is None:
        return
    context = execution.context
    path = context.layout.vectors(instance)
    context.session.make_dir(posixpath.dirname(path), mode=0o700)
    context.session.write_file(path, vectors.model_dump_json().encode(), mode=0o600)


def keep_vectors_of_running(execution: Execution, instance: Instance) -> None:
    """Before a change: an instance whose vectors nobody has kept yet is asked while it runs."""
    context = execution.context
    last = context.record.instances.get(instance.name)
    if last is None or last.stopped is not None or last.spec.type != "embedding":
        return
    if last.spec.model != instance.spec.model:
        return
    if kept_vectors(context.session, context.layout, instance) is not None:
        return
    with suppress(XgenError, NoAnswer):  # it may be down, and that is why it is changed
        delivered = context.secrets_of(instance.name).delivered()
        key = delivered.get(engine_key(context.name, instance.name))
        acceptance = Acceptance(last.spec, context.session, key)
        keep_vectors(execution, instance.name, acceptance.reference())
