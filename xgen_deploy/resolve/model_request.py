"""What the probe is asked about a model's files: the manifest's text in its parts. Pure."""

from xgen_deploy.resolve.stated_files import StatedFile
from xgen_deploy.state.facts import ModelRequest
from xgen_deploy.state.locked import Locked
from xgen_deploy.state.source import read_source


def model_request(
    stated: StatedFile, model_dir: str, hf_home: str, *, locked: Locked | None = None
) -> ModelRequest:
    """`locked` is what a lock file says of it."""
    commit = locked.commit if locked else None
    source = read_source(stated.source)
    return ModelRequest(
        key=stated.key,
        source=stated.source,
        revision=commit or source.revision or stated.revision,
        model_dir=model_dir,
        hf_home=hf_home,
        any_file=stated.any_file,
        path=source.path,
        url=source.url,
        repository=source.repository,
        file=source.file,
        quantization=source.quantization,
        stem=source.stem,
        any_revision=stated.any_revision and source.revision is None and commit is None,
        quantize=stated.quantize,
        content=locked.content if locked and stated.quantize else None,
    )
