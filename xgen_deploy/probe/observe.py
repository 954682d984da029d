"""Runs the probe on a host through its connection: one round trip for all that a plan needs."""

from pydantic import ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import DOCUMENT
from xgen_deploy.probe.program import probe_program
from xgen_deploy.probe.sh.program import fixed_part, sh_program
from xgen_deploy.state.facts import HostFacts, ProbeRequest
from xgen_deploy.state.host_python import INCOMPLETE, INSTALL_PYTHON, TOO_OLD
from xgen_deploy.transport import framing
from xgen_deploy.transport.base import Connection
from xgen_deploy.visible import on_one_line

MARGIN = 10.0
_SHOWN = 300
# Fields that are whole files or logs: whoever parses them cleans them.
_TEXTS = ("record", "heal", "gateway_stats", "health")


class ProbeFailure(Frozen):
    """The answer of a host that cannot run the probe. `missing` is a module, version or program."""

    error: str
    missing: str = ""
    python: str = ""


def prepare() -> None:
    """Builds what is sent to every host, before threads would each build it."""
    framing.packed(probe_program())
    fixed_part()


def observe(connection: Connection, request: ProbeRequest) -> HostFacts:
    """The facts of a host, from its Python; where that is missing or incomplete, the machine and
    its GPUs from its shell. Raises UnreachableError where neither can run, XgenError where the
    answer cannot be read.
    """
    document = connection.observe(
        probe_program(),
        request.model_dump_json().encode(),
        timeout=request.deadline + MARGIN,
        shell=sh_program(request),
    )
    return read_document(connection.name, document)


def observe_machine(connection: Connection) -> HostFacts:
    """The facts of a host and its GPUs alone, of no project. Raises as `observe`."""
    return observe(connection, ProbeRequest(project="", state_dir="/none", etc_dir="/none"))


def _fields(document: object) -> object:
    """Puts every field on one line, except the whole files and logs."""
    if not isinstance(document, dict):
        return document
    return {on_one_line(k): v if k in _TEXTS else on_one_line(v) for k, v in document.items()}


def read_document(host: str, document: bytes) -> HostFacts:
    """Parses a probe's answer. Raises UnreachableError where the probe did not run, XgenError where
    the answer cannot be read.
    """
    try:
        value = _fields(read_json(document.decode("utf-8", "replace"), DOCUMENT))
        return HostFacts.model_validate(value)
    except ValidationError as error:
        failure = _failure(value)
        if failure is not None:
            raise _explain(host, failure) from None
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:_SHOWN]
        raise _unreadable(host, f"{place}: {first['msg']}") from None
    except ValueError as error:
        raise _unreadable(host, f"{error}") from None


def _unreadable(host: str, why: str) -> XgenError:
    return XgenError(
        f"{host}: the probe's answer cannot be read: {why[:_SHOWN]}. "
        "Unless it was changed on that host, this is a bug in xgen-deploy; please report it."
    )


def _failure(value: object) -> ProbeFailure | None:
    try:
        return ProbeFailure.model_validate(value)
    except ValidationError:
        return None


def _explain(host: str, failure: ProbeFailure) -> UnreachableError:
    what, python = failure.missing, failure.python
    if failure.error == "python-incomplete":
        return UnreachableError(host, INCOMPLETE % (python, what), INSTALL_PYTHON)
    if failure.error == "sh-incomplete":
        reason = f"it has no usable Python, and its shell lacks `{what}`"
        return UnreachableError(host, reason, INSTALL_PYTHON)
    if failure.error == "python-old":
        return UnreachableError(host, TOO_OLD % python, INSTALL_PYTHON)
    if failure.error == "python-input":
        reason = f"the probe was not received completely: {what} are missing"
        return UnreachableError(host, reason, "Run the command again.")
    return UnreachableError(host, f"the probe failed: {failure.error}: {what}")
