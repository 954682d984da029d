from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.errors import UsageError
from xgen_deploy.manifest.limit import limit
from xgen_deploy.state.site import Site

LOTTE = Path(__file__).parents[2] / "manifests" / "lotte.yaml"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(str(LOTTE))


@pytest.mark.parametrize(
    ("names", "hosts", "instances"),
    [
        ([], ["gpu-01", "gpu-02", "gpu-03", "edge-01"], 5),
        (["gpu-01"], ["gpu-01"], 2),
        (["nvidia"], ["gpu-01", "gpu-02"], 4),
        (["gpu-01,gpu-03"], ["gpu-01", "gpu-03"], 3),
        (["qwen3-8b"], ["gpu-02", "gpu-03"], 3),
        (["qwen3-8b-2"], ["gpu-02"], 1),
        (["amd", "qwen3-8b"], ["gpu-03"], 1),
        (["edge-01"], ["edge-01"], 0),
    ],
)
def test_what_a_limit_leaves(
    site: Site, names: list[str], hosts: list[str], instances: int
) -> None:
    cut = limit(site, names)
    assert list(cut.hosts) == hosts
    assert len(cut.declared) == instances
    assert len(cut.declared) + len(cut.elsewhere) == len(site.declared)
    assert {*cut.hosts, *cut.other_hosts} == set(site.hosts)
    assert cut.gateway == site.gateway


def test_a_name_that_is_nothing(site: Site) -> None:
    with pytest.raises(UsageError, match=r"`gpu-1`; there are gpu-01, .*\. Did you mean `gpu-01`"):
        limit(site, ["gpu-1"])


def test_a_model_that_is_not_on_the_host(site: Site) -> None:
    with pytest.raises(UsageError, match="the manifest places nothing there"):
        limit(site, ["gpu-01", "qwen3-8b"])
