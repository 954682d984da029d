"""Engine builds in archives of this machine: paths on a host stand for them from here on."""

from collections.abc import Mapping

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import absolute_path
from xgen_deploy.state.engine_words import GATEWAY_KEY, MONITORING_KEYS
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.settings import Binary, BinaryArchive


def with_archives(
    host: Host,
    table: Mapping[str, Binary],
    marks: Mapping[str, Mark],
    written: str,
    problems: Problems,
) -> Host:
    """With the table's builds where the host has none of its own, those in archives by where they
    will lie. `marks` are by place in the file, such as `binaries.llama.archive`; `written` is the
    table's.
    """
    binaries, archives = dict(host.binaries), dict(host.archives)
    for key, binary in table.items():
        mark = marks[f"{written}.{key}"]
        if key in host.binaries:
            continue
        if isinstance(binary, str):
            binaries[key] = binary
        elif key in (GATEWAY_KEY, *MONITORING_KEYS):
            problems.add(mark, f"`{key}` cannot come in an archive: install it on the host")
        else:
            place, stated = _placed(host, binary, mark)
            binaries[key], archives[place] = place, stated
    return replace(host, binaries=binaries, archives=archives)


def with_own_archive(host: Host, binary: Binary, mark: Mark) -> tuple[Host, str]:
    """The same with a placement's own build, and its path on the host."""
    if isinstance(binary, str):
        return host, binary
    place, stated = _placed(host, binary, mark)
    return replace(host, archives={**host.archives, place: stated}), place


def _placed(host: Host, binary: BinaryArchive, mark: Mark) -> tuple[str, BinaryArchive]:
    """Before the content is known, only where it is on this machine matters."""
    archive = absolute_path(binary.archive, mark)
    place = f"{host.model_dir.rstrip('/')}/xgen/engines/{archive.lstrip('/~')}/{binary.path}"
    return place, replace(binary, archive=archive)
