"""What is asked of GPUs is what the engine did, by its own word: on software Vulkan devices."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab import places
from tests.lab.conftest import Lab
from tests.lab.engine_site import (
    ADAPTER,
    PROJECTOR,
    TEMPLATE,
    TINY,
    place_models,
    shaders,
    status,
    tiny,
    took_what_was_forecast,
)
from tests.lab.host import LabHost
from tests.lab.site import Fields, Site
from tests.lab.tiny_model import LAYERS

PORT = 8501


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host("lab-engines")
    place_models(found)
    return found


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One instance that every test below changes: the shaders it compiled once are kept."""
    found = Site(tmp_path_factory.mktemp("gpu"), "t_gpu", ports=f"{PORT}-{PORT + 1}")
    found.hosts[host.name] = {"xgen_software_gpu": 2}
    found.models["tiny"] = tiny(env=shaders("tiny"))
    yield found
    found.run("destroy", "-y")


def _ask_for(site: Site, **placement: object) -> None:
    (name,) = site.hosts
    site.placements[name] = [{"model": "tiny", **placement}]


def _devices(row: Fields) -> dict[str, float]:
    """The MiB of the model on each device that the engine used."""
    return {d["name"]: d["model_mib"] for d in row["devices"]}


@pytest.mark.parametrize(("asked", "done"), [(3, 3), (0, 0), (-1, LAYERS)])
def test_so_many_layers_are_on_the_gpu(site: Site, asked: int, done: int) -> None:
    _ask_for(site, gpus=[0], n_gpu_layers=asked)
    site.apply()
    row = status(site)
    assert (row["offloaded_layers"], row["total_layers"]) == (done, LAYERS)
    assert row["n_gpu_layers"] == asked
    assert row["gpus"] == [0]
    assert list(_devices(row)) == ["Vulkan0"]
    assert (_devices(row)["Vulkan0"] > 0) == (done > 0)
    took_what_was_forecast(row)
    assert site.run("verify").code == 0


def test_two_gpus_hold_what_the_split_says(site: Site) -> None:
    _ask_for(site, gpus=[0, 1], llama={"tensor_split": [3, 1]})
    site.apply()
    row = status(site)
    assert (row["gpus"], row["offloaded_layers"]) == ([0, 1], LAYERS)
    held = _devices(row)
    assert held["Vulkan0"] / held["Vulkan1"] == pytest.approx(3, rel=0.05)
    took_what_was_forecast(row)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            {"llama": {"override_tensors": {".*": "CPU"}}},
            "asked for every layer; the engine placed no layer on a GPU",
        ),
        ({"env": {"VK_ICD_FILENAMES": "/nothing.json"}}, "invalid device: Vulkan0"),
    ],
    ids=["keeps it on the CPU", "finds no GPU"],
)
def test_a_gpu_that_is_not_used_fails_the_gate(
    host: LabHost, site: Site, harm: Fields, said: str
) -> None:
    _ask_for(site, gpus=[0], n_gpu_layers=-1)
    site.apply()
    _ask_for(site, gpus=[0], n_gpu_layers=-1, **harm)
    failed = site.run("apply", "-y")
    assert failed.code == 1
    assert said in failed.said
    assert "The previous version was put back and serves again" in failed.said
    _ask_for(site, gpus=[0], n_gpu_layers=-1)
    site.plan(0)
    row = status(site)
    assert (row["status"], row["offloaded_layers"]) == ("running", LAYERS)


def test_what_is_loaded_beside_a_model(site: Site) -> None:
    """A draft model with some of its layers on the GPU, an adapter, a projector and a template."""
    beside = {
        "draft": {"source": TINY, "n_gpu_layers": 3, "tokens": 2},
        "loras": {"law": {"source": ADAPTER, "scale": 0.5}},
        "mmproj": PROJECTOR,
        "chat_template": TEMPLATE,
    }
    _ask_for(site, gpus=[0], n_gpu_layers=-1, **beside, update={"timeout": "5m"})
    site.apply()
    row = status(site)
    assert (row["offloaded_layers"], row["total_layers"]) == (LAYERS, LAYERS)
    assert list(_devices(row)) == ["Vulkan0"]
    draft = row["draft"]
    assert (draft["offloaded"], draft["total_layers"], draft["used"]) == (3, LAYERS, True)
    assert 0 < draft["devices"][0]["model_mib"] < _devices(row)["Vulkan0"]
    assert site.run("verify").code == 0
    assert site.plan(0).operations(*site.hosts) == []


def test_what_is_not_there_is_refused_before_anything_is_stopped(site: Site) -> None:
    _ask_for(site, gpus=[0], chat_template="/srv/no.jinja", llama={"extra_args": ["--no-such"]})
    refused = site.run("apply", "-y")
    assert refused.code == 1
    assert "chat template /srv/no.jinja: is not there" in refused.said
    _ask_for(site, gpus=[0], llama={"extra_args": ["--no-such"]})
    assert f"({places.ENGINE}) has no option `--no-such`" in site.run("plan").said
    assert status(site)["status"] == "running"


def test_a_gpu_asked_for_where_none_is_found_is_refused(host: LabHost, site: Site) -> None:
    _ask_for(site, gpus=[0])
    software = site.hosts[host.name]
    site.hosts[host.name] = {}
    try:
        assert "GPU 0 (software-0 when this was last applied) was asked for" in site.plan(
            1
        ).refusals(host.name)
    finally:
        site.hosts[host.name] = software


def test_a_real_model_on_the_software_gpu(site: Site) -> None:
    """Gemma 3 270M: 18 blocks and the output layer."""
    (name,) = site.hosts
    site.models["gemma"] = {
        "source": places.MODEL,
        "n_ctx": 256,
        "llama": {"parallel": 1},
        "env": shaders("gemma"),
    }
    site.placements[name] = [{"model": "gemma", "gpus": [0], "n_gpu_layers": 12}]
    site.apply()
    row = status(site)
    assert (row["offloaded_layers"], row["total_layers"]) == (12, 19)
    assert _devices(row)["Vulkan0"] > 0
    took_what_was_forecast(row)


def test_what_cannot_fit_is_refused_and_its_way_out_works(host: LabHost, site: Site) -> None:
    """On a software GPU of which all but a little is reserved."""
    (name,) = site.hosts
    total = int(host.sh("grep MemTotal /proc/meminfo").split()[1]) >> 10
    slots = 16 + (total >> 10)
    at_ease, room = max(512, total // 20), 300 + 25 * slots
    software = site.hosts[name]
    site.hosts[name] = software | {"xgen_reserved_mb": total - at_ease - room}
    site.models["gemma"]["llama"] = {"parallel": slots}
    site.placements[name] = [{"model": "gemma", "gpus": [0], "n_ctx": 32768}]
    before = _running(host, site)
    refused = site.run("apply", "-y")
    assert refused.code == 1
    assert f"refused  {name}/gemma: it needs" in refused.said
    assert "Nothing was changed" in refused.said
    assert _running(host, site) == before
    way = re.search(r"^ +n_ctx: (\d+)$", refused.said, re.MULTILINE)
    assert way, refused.said
    site.placements[name][0]["n_ctx"] = int(way[1])
    try:
        site.apply()
        row = status(site)
        assert row["status"] == "running"
        assert row["offloaded_layers"] == row["total_layers"]
        took_what_was_forecast(row)
    finally:
        site.hosts[name] = software


def _running(host: LabHost, site: Site) -> str:
    """What serves, and since when; what the host remembers; what lies there."""
    unit, state = f"xgen-{site.project}-gemma.service", f"/var/lib/xgen-deploy/{site.project}"
    shown = host.sh(f"systemctl show -P MainPID -P ExecMainStartTimestamp {unit}")
    return shown + host.sh(f"sha256sum {state}/*.json /etc/systemd/system/{unit}")
