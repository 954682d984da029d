"""Sources through the manifest's proxy."""

from pathlib import Path

import pytest

from tests.forward_proxy import ForwardProxy, forwarding
from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.probe.gguf_writer import gguf
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Catalog, Request
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.transfer.remote.web_source import Access

NAME = "some/tiny-GGUF"
FILES = {"tiny-q8.gguf": gguf({"general.architecture": "llama", "llama.block_count": 2})}


def catalog(endpoint: str, proxy: str, folder: Path) -> Catalog:
    settings = FetchSettings(endpoint=endpoint)
    return Catalog(settings, Access(proxy=proxy), lambda: LocalDigests(folder))


def test_plain_http_is_asked_for_by_its_whole_address(tmp_path: Path) -> None:
    """Many a proxy allows CONNECT for https alone."""
    with serving(FakeHub({NAME: Repository(FILES)})) as hub, forwarding(ForwardProxy()) as proxy:
        asked = catalog(f"http://hub.test:{hub.port}", proxy.url(), tmp_path)
        got = asked.describe(Request(source=f"{NAME}:tiny-q8.gguf"))
    assert got.gguf is not None
    assert {line.split("/api")[0] for line in proxy.seen if "/api" in line} == {
        f"GET http://hub.test:{hub.port}"
    }
    assert not any(line.startswith("CONNECT") for line in proxy.seen)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_login_that_the_proxy_does_not_take_is_told_without_it(
    scheme: str, tmp_path: Path
) -> None:
    with forwarding(ForwardProxy(login="other:login")) as proxy:
        asked = catalog(f"{scheme}://hub.test", proxy.url("kim:s3cret@"), tmp_path)
        with pytest.raises(HubError) as refused:
            asked.describe(Request(source=f"{NAME}:tiny-q8.gguf"))
    assert "407" in str(refused.value)
    assert "s3cret" not in str(refused.value) + refused.value.hint
