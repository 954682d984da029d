"""The manifest as it was applied, which a host keeps for whoever has no repository at hand."""

from collections.abc import Mapping

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import MANIFEST
from xgen_deploy.visible import on_one_line

FORMAT = 1
_SHOWN = 200


class KeptManifest(Frozen):
    """`manifest` as manifest/as_applied.py makes it; `apply` is the number of that apply, `host`
    what the manifest calls the host that keeps it.
    """

    format: int = FORMAT
    apply: int
    host: str
    manifest: Mapping[str, object]


def read_kept(content: bytes, project: str, host: str) -> KeptManifest:
    """Of a host's file, which is data of that host. Raises XgenError where it cannot be read, or is
    another project's.
    """
    try:
        kept = KeptManifest.model_validate(on_one_line(read_json(content, MANIFEST)))
    except ValueError as error:
        raise XgenError(
            f"{host}: the manifest that was kept of project {project} cannot be read: "
            f"{str(error).splitlines()[0][:_SHOWN]}"
        ) from None
    if kept.format > FORMAT:
        raise XgenError(
            f"{host}: the manifest that was kept of project {project} has format {kept.format}, "
            f"newer than this tool knows ({FORMAT}); use the newer xgen-deploy that wrote it"
        )
    if kept.manifest.get("project") != project:
        raise XgenError(
            f"{host}: the manifest that was kept of project {project} is another project's; "
            "the next apply writes it again"
        )
    return kept
