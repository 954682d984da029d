"""A host's history is data of that host: what it asks for beyond the manifest needs a word."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.render.scene import Scene
from tests.upgrade.released import SITES
from xgen_deploy.apply.going_back import refuse_strange
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.commands.history import _lines
from xgen_deploy.errors import XgenError
from xgen_deploy.manifest.restated import why_not_restated
from xgen_deploy.plan.history_excess import beyond
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import ApplyRecord, HistoryEntry
from xgen_deploy.state.site import Site

NOW = {
    "source": "/m/Qwen3-8B-Q4_K_M.gguf",
    "api_key": {"env": "KEY"},
    "env": {"TOKEN": {"file": "/t"}, "OMP_NUM_THREADS": "8"},
    "container": {"args": ["--init"], "mounts": ["/data:/data:ro"], "shm_size": "1g"},
    "llama": {"extra_args": ["--no-webui"]},
    "fallback": ["r"],
}
PLACE = [{"model": "q", "gpus": []}]
COMMAND = {"command": "sh -c 'id >/tmp/x'"}
HARMLESS: list[dict[str, Any]] = [
    {},
    {"source": "/m/bge-m3.gguf", "n_ctx": 99, "image": "registry.local/other:2", "port": 8017},
    {"env": {"OMP_NUM_THREADS": "8"}, "api_key": None},
    {"container": {"shm_size": "2g"}, "llama": {"parallel": 9}, "sampling": {"top_k": 3}},
    {"container": {"args": ["--init"], "mounts": ["/data:/data:ro"]}},
    {"listen": "0.0.0.0", "gpus": [0], "update": {"strategy": "stop-first"}},
]
BEYOND: list[tuple[dict[str, Any], str]] = [
    (
        {"container": {"args": ["--privileged", "-v", "/:/host"]}},
        "container.args: --privileged -v /:/host",
    ),
    (
        {"container": {"mounts": ["/data:/data:ro", "/:/host"]}},
        "container.mounts: /:/host",
    ),
    ({"container": {"mounts": ["/data:/data"]}}, "container.mounts: /data:/data"),
    ({"llama": {"extra_args": ["--log-file", "/etc/x"]}}, "llama.extra_args: --log-file /etc/x"),
    ({"vllm": {"extra_args": ["--x"]}}, "vllm.extra_args: --x"),
    ({"vllm": {"trust_remote_code": True}}, "vllm.trust_remote_code: True"),
    ({"image": {"image": "a", "entrypoint": ["/bin/sh"]}}, "image.entrypoint: /bin/sh"),
    ({"images": {"llama": {"image": "a", "entrypoint": ["/x"]}}}, "images.llama.entrypoint: /x"),
    ({"api_key": COMMAND}, "api_key: secret from command sh -c 'id >/tmp/x'"),
    ({"api_key": {"file": "/t"}}, "api_key: secret from file /t"),
    ({"env": {"TOKEN": {"env": "KEY"}}}, "env.TOKEN: secret from env KEY"),
    ({"env": {"TOKEN": COMMAND}}, "env.TOKEN: secret from command sh -c 'id >/tmp/x'"),
    ({"env": {"LD_PRELOAD": "/srv/evil.so"}}, "env.LD_PRELOAD: /srv/evil.so"),
    ({"fallback": ["other"]}, "fallback: other"),
    ({"fallback": []}, "fallback: none"),
    ({"model": "r"}, "model: r"),
    (
        {
            "model": "r",
            "name": "new",
            **{key: {} for key in ("container", "llama", "env")},
            "api_key": None,
            "fallback": [],
        },
        "model: r",
    ),
]
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"host": "other"}, "it is for another host"),
    ({"name": "../../../srv/victim"}, "name: "),
    ({"name": "gateway"}, "name: "),
    ({"model": "--help"}, "model: "),
    ({"source": "../x"}, "source"),
    ({"binary": "../x"}, "binary: "),
    ({"binaries": {"llama": "sh"}}, "binaries"),
    ({"binaries": {"../x": "/sh"}}, "binaries"),
    ({"backend": "../x"}, "backend: "),
    ({"listen": "x"}, "listen: "),
    ({"port": 70000}, "port: "),
    ({"ports": [1, 70000]}, "ports"),
    ({"n_ctx": 0}, "n_ctx: "),
    ({"container": {"mounts": ["../x:/y"], "args": None}}, "container.mounts"),
    ({"container": {"args": ["-v\n/:/host"]}}, "it has a line break"),
    ({"env": {"A": "1\nB=2"}}, "it has a line break"),
    ({"env": {"A\n": "1"}}, ""),
    ({"revision": "-x"}, "revision: "),
    ({"sha256": "x"}, "sha256: "),
]


def site(folder: Path) -> Site:
    models = {"q": NOW, "r": {"source": "/m/bge-m3.gguf"}}
    return Scene(
        {
            "host": "cpu",
            "runtime": "docker",
            "models": models,
            "place": [{"model": "q", "gpus": []}],
        },
        folder,
    ).site


def then(now: Site, **fields: Any) -> InstanceConfig:
    """As a host's file may have it."""
    (one,) = now.declared
    return InstanceConfig.model_validate(one.model_dump(mode="json") | fields)


@pytest.mark.parametrize("fields", HARMLESS)
def test_models_images_and_engine_settings_are_carried_out(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    now = site(tmp_path)
    one = then(now, **fields)
    assert why_not_restated(one, "h", engine_words()) is None
    assert beyond(one, now) == ()


@pytest.mark.parametrize(("fields", "said"), BEYOND)
def test_what_could_give_the_host_more_is_named(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    now = site(tmp_path)
    one = then(now, **fields)
    assert why_not_restated(one, "h", engine_words()) is None
    assert beyond(one, now) == (said,)


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"binary": "/srv/evil"}, "binary"), ({"binaries": {"llama": "/srv/evil"}}, "binaries.llama")],
)
def test_another_program_is_named(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    now = site(tmp_path)
    assert beyond(then(now, runtime="systemd", **fields), now) == (f"{said}: /srv/evil",)


def test_an_instance_that_the_manifest_does_not_have_has_nothing_of_it(tmp_path: Path) -> None:
    now = site(tmp_path)
    named = {clause.split(":")[0] for clause in beyond(then(now, name="gone"), now)}
    assert named == {
        "container.args", "container.mounts", "llama.extra_args", "api_key", "env.TOKEN",
        "env.OMP_NUM_THREADS", "fallback",
    }  # fmt: skip


@pytest.mark.parametrize(("fields", "said"), IMPOSSIBLE)
def test_what_no_manifest_could_say_is_refused(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    now = site(tmp_path)
    try:
        one = then(now, **fields)
    except ValueError:
        return  # it cannot even be read
    why = why_not_restated(one, "h", engine_words())
    assert why is not None
    assert said in why
    with pytest.raises(XgenError, match=r"refused: the history of a host was edited"):
        refuse_strange({"h": entry(one)}, now, trusted=True)


def entry(*declared: InstanceConfig) -> HistoryEntry:
    apply = ApplyRecord(number=3, by="x", manifest="m", manifest_digest="d", began=0.0)
    return HistoryEntry(apply=apply, declared=declared)


def test_without_the_word_it_is_refused_with_what_it_asks_for(tmp_path: Path) -> None:
    now = site(tmp_path)
    one = then(now, api_key=COMMAND, container={"args": ["--privileged"]})
    with pytest.raises(XgenError) as caught:
        refuse_strange({"h": entry(one)}, now, trusted=False)
    said = str(caught.value)
    assert "h/q: api_key: secret from command" in said
    assert "h/q: container.args: --privileged" in said
    assert "--trust-history" in said
    refuse_strange({"h": entry(one)}, now, trusted=True)


@pytest.mark.parametrize("fields", [{"runtime": "process"}, None])
def test_a_runtime_of_another_kind_and_a_name_twice_are_refused(
    fields: dict[str, Any] | None, tmp_path: Path
) -> None:
    now = site(tmp_path)
    entries = entry(then(now, **fields)) if fields else entry(then(now), then(now))
    with pytest.raises(XgenError, match=r"its runtime is process|it is listed twice"):
        refuse_strange({"h": entries}, now, trusted=True)


@pytest.mark.parametrize("file", sorted(SITES.glob("*/history/*.json")), ids=str)
def test_what_an_earlier_version_wrote_passes(file: Path) -> None:
    found = HistoryEntry.model_validate(json.loads(file.read_text()))
    for one in found.declared:
        assert why_not_restated(one, one.host, engine_words()) is None


HOSTILE: list[Any] = [
    COMMAND, {"X": COMMAND}, [COMMAND], "../../..", "/../../etc", "x\x1b[2J\n", "a" * (1 << 20),
    10**400, -1, 1e308, [[[[[["x"]]]]]], ["--privileged"], {"args": ["-v", "/:/h"]}, True,
]  # fmt: skip


@pytest.mark.parametrize("field", sorted(InstanceConfig.model_fields))
def test_no_field_of_an_entry_reaches_further_than_the_manifest(field: str, tmp_path: Path) -> None:
    now = site(tmp_path)
    (own,) = now.declared
    secrets = {own.api_key, *own.env.values()}
    for value in HOSTILE:
        whole = entry(own).model_dump(mode="json")
        whole["declared"][0][field] = value
        try:
            read = HistoryEntry.model_validate_json(json.dumps(whole))
        except ValidationError:
            continue  # such an entry is left out
        if _refused(read, now):
            continue
        (one,) = read.declared
        assert (one.host, one.name) == ("h", "q")
        assert {one.api_key, *one.env.values()} <= secrets | {None}
        assert one.container.args in (None, own.container.args)
        assert set(one.container.mounts or ()) <= set(own.container.mounts or ())


def _refused(read: HistoryEntry, now: Site) -> bool:
    with contextlib.suppress(XgenError):
        refuse_strange({"h": read}, now, trusted=False)
        return False
    with pytest.raises(XgenError) as caught:
        refuse_strange({"h": read}, now, trusted=False)
    assert len(str(caught.value)) < 2000
    return True


@pytest.mark.parametrize("field", sorted(ApplyRecord.model_fields))
def test_no_word_about_an_apply_breaks_what_shows_it(field: str, tmp_path: Path) -> None:
    (own,) = site(tmp_path).declared
    for value in [*HOSTILE, math.inf, math.nan]:
        whole = entry(own).model_dump(mode="json")
        whole["apply"][field] = value
        with contextlib.suppress(ValidationError):
            read = HistoryEntry.model_validate_json(json.dumps(whole))
            assert _lines({read.apply.number: {"h": read.apply}}, {}, None)
