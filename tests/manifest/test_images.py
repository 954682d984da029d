"""Images that this machine sends, and logins for those that hosts pull."""

from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.errors import XgenError
from xgen_deploy.state.settings import ImageWithEntrypoint

SITE = """
project: t
{top}
inventory: {{all: {{hosts: {{a: {{xgen_egress: false}}, b: {{}}}}}}}}
models: {{m: {{source: /srv/m.gguf, backend: llama-server-cpu}}}}
hosts: {{a: [{{model: m}}], b: [{{model: m}}]}}
"""


def _written(folder: Path, top: str) -> str:
    file = folder / "site.yaml"
    file.write_text(SITE.format(top=top))
    return str(file)


def test_an_archive_is_beside_its_manifest(tmp_path: Path) -> None:
    top = "pull: push\nimages: {llama: {image: site/x:1, archive: images/x.tar.zst}}"
    site = load_site(_written(tmp_path, top))
    for image in (site.images["llama"], *(c.images["llama"] for c in site.declared)):
        assert isinstance(image, ImageWithEntrypoint)
        assert image.archive == str(tmp_path / "images/x.tar.zst")


def test_a_host_that_contacts_nobody_pulls_nothing(tmp_path: Path) -> None:
    site = load_site(_written(tmp_path, "images: {llama: site/x:1}"))
    assert {c.host: c.pull for c in site.declared} == {"a": "never", "b": "missing"}


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("images: {llama: {image: x:1, archive: x.tar}}", "is read with `pull: push` alone"),
        (f"pull: push\nimages: {{llama: 'x@sha256:{'0' * 64}'}}", "a tag and no digest"),
        (
            "registries: {'https://r/': {user: u, password: {env: P}}}",
            "a registry is a host as images name it",
        ),
        ("registries: {r.example: {user: u, password: plain}}", "password"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, top: str, said: str) -> None:
    with pytest.raises(XgenError, match=said):
        load_site(_written(tmp_path, top))
