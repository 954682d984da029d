"""Checks of one instance against what its manifest accepts, and its vectors against those kept."""

from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.acceptance import Acceptance, NoAnswer, kept_vectors, least_cosine
from xgen_deploy.verify.checks import Check
from xgen_deploy.verify.vectors import TEXTS, too_far


def check_acceptance(
    instance: Instance, layout: Layout, session: Session, api_key: SecretText | None
) -> list[Check]:
    """None where the manifest states nothing and the host keeps nothing. Raises HostError."""
    acceptance, accept = Acceptance(instance.spec, session, api_key), instance.declared.accept
    checks = []
    if accept is not None and (accept.prompts or accept.vectors):
        checks += _checks(instance, "accepted answers", list(acceptance.problems(accept)))
    if instance.spec.type != "embedding":
        return checks
    kept = kept_vectors(session, layout, instance)
    if kept is None:
        return checks
    try:
        now = acceptance.vectors(TEXTS)
        problems = list(too_far(TEXTS, kept.vectors, now, least_cosine(accept)))
    except NoAnswer as error:
        problems = [str(error)]
    return checks + _checks(instance, "vectors as before", problems)


def _checks(instance: Instance, what: str, problems: list[str]) -> list[Check]:
    host, name = instance.host, instance.name
    return [Check(host=host, instance=name, what=what, ok=not p, found=p) for p in problems or [""]]
