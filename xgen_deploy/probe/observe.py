"""Ask a host, through its connection, everything that a plan needs: one round trip."""

from pydantic import ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import DOCUMENT
from xgen_deploy.probe.program import probe_program
from xgen_deploy.probe.sh.program import fixed_part, sh_program
from xgen_deploy.state.facts import INSTALL_PYTHON, HostFacts, ProbeRequest
from xgen_deploy.transport import framing
from xgen_deploy.transport.base import Connection
from xgen_deploy.visible import on_one_line

MARGIN = 10.0
_SHOWN = 300
# Parts of the document that are whole files, pages and logs; their readers see to it.
_TEXTS = ("record", "heal", "gateway_stats", "health")


class ProbeFailure(Frozen):
    """What a host answers that cannot run the probe. `missing` is a module or a version."""

    error: str
    missing: str = ""
    python: str = ""


def prepare() -> None:
    """Make what every host gets, once: threads that all want it first would each make it."""
    framing.packed(probe_program())
    fixed_part()


def observe(connection: Connection, request: ProbeRequest) -> HostFacts:
    """The facts about a host, by its Python; where that is missing or incomplete, what its shell
    tells of its GPUs. Raises UnreachableError where it can run neither."""
    document = connection.observe(
        probe_program(),
        request.model_dump_json().encode(),
        timeout=request.deadline + MARGIN,
        shell=sh_program(request),
    )
    return read_document(connection.name, document)


def _fields(document: object) -> object:
    """All but the whole files and logs in it are fields of one line."""
    if not isinstance(document, dict):
        return document
    return {on_one_line(k): v if k in _TEXTS else on_one_line(v) for k, v in document.items()}


def read_document(host: str, document: bytes) -> HostFacts:
    """Check a probe's answer. Raises UnreachableError, or XgenError where it makes no sense."""
    try:
        value = _fields(read_json(document.decode("utf-8", "replace"), DOCUMENT))
        return HostFacts.model_validate(value)
    except ValidationError as wrong:
        failure = _failure(value)
        if failure is not None:
            raise _explain(host, failure) from None
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:_SHOWN]
        raise _unreadable(host, f"{place}: {first['msg']}") from None
    except ValueError as wrong:
        raise _unreadable(host, f"{wrong}") from None


def _unreadable(host: str, why: str) -> XgenError:
    return XgenError(
        f"{host}: the probe's answer cannot be read: {why[:_SHOWN]}. "
        "Unless somebody on that host changed it, this is a fault of xgen-deploy; please report it."
    )


def _failure(value: object) -> ProbeFailure | None:
    try:
        return ProbeFailure.model_validate(value)
    except ValidationError:
        return None


def _explain(host: str, failure: ProbeFailure) -> UnreachableError:
    what, python = failure.missing, failure.python
    if failure.error == "python-incomplete":
        reason = f"its python3 ({python}) lacks the module {what}"
        return UnreachableError(host, reason, INSTALL_PYTHON)
    if failure.error == "sh-incomplete":
        reason = f"it has no usable Python, and its shell cannot look at it without `{what}`"
        return UnreachableError(host, reason, INSTALL_PYTHON)
    if failure.error == "python-old":
        reason = f"its python3 is {python}, and {what} is the oldest that works"
        return UnreachableError(host, reason, INSTALL_PYTHON)
    if failure.error == "python-input":
        reason = f"the probe did not arrive there whole: {what} are missing"
        return UnreachableError(host, reason, "Run it again.")
    return UnreachableError(host, f"the probe failed there: {failure.error}: {what}")
