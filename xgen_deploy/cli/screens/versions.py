"""The screen of `xgen-deploy status --versions`: who runs what."""

from collections import Counter
from collections.abc import Iterator

from rich.markup import escape

from xgen_deploy.backends.registry import short_name_of
from xgen_deploy.cli.screens.table import Table
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status

_HEAD = (
    "HOST",
    "INSTANCE",
    "STATE",
    "BACKEND",
    "BUILD",
    "MODEL",
    "FILE",
    "DIGEST",
    "UNIT",
    "APPLY",
)
_DROP = ("APPLY", "UNIT", "STATE", "DIGEST", "FILE", "MODEL")
_SHORT = 12


def version_lines(status: SiteStatus, width: int | None) -> Iterator[str]:
    """Lines with `rich` markup; `width` is the terminal's."""
    yield f"[bold]{escape(status.project)}[/bold]"
    table = Table(_HEAD, _DROP)
    for instance in status.instances:
        table.add(*_cells(instance))
    yield from table.whole(width)
    yield ""
    yield escape(_summary(status.instances))


def _cells(instance: Status) -> tuple[str, ...]:
    return (
        instance.host,
        instance.instance,
        instance.status,
        _backend(instance),
        instance.build or "-",
        instance.model_id,
        _file(instance),
        (instance.digest or "-")[:_SHORT],
        "-" if instance.unit_version is None else str(instance.unit_version),
        "-" if instance.apply is None else f"#{instance.apply}",
    )


def _backend(instance: Status) -> str:
    return short_name_of(instance.backend) if instance.backend else "-"


def _file(instance: Status) -> str:
    """The file's SHA-256 where that is known; else `~` and what changes with the file."""
    if instance.model_sha256:
        return instance.model_sha256[:_SHORT]
    return f"~{instance.model_state[:_SHORT]}" if instance.model_state else "-"


def _summary(instances: tuple[Status, ...]) -> str:
    """`2 builds: llama-cuda b11434 (12), vllm-cuda 0.11.2 (3)`."""
    known = [i for i in instances if i.backend]
    builds = Counter(f"{_backend(i)} {i.build or 'of an unknown build'}" for i in known)
    listed = ", ".join(f"{build} ({count})" for build, count in builds.most_common())
    return f"{len(builds)} build{'s'[: len(builds) != 1]}: {listed}" if builds else "no instances"
