"""A secret is looked up only for what this run's manifest has it for, once, and never shown."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.render.scene import Scene
from tests.secrets.files import Files
from xgen_deploy.errors import XgenError
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.state.secret_uses import (
    GATEWAY_KEY,
    SecretUse,
    engine_key,
    engine_variable,
    route_key,
)
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.state.site import Site

MODEL = {"source": "/m/Qwen3-8B-Q4_K_M.gguf"}
VALUE = "sk-not-to-be-shown"


def site(folder: Path, *, env: Any = None, api_key: Any = None, **top: Any) -> Site:
    model = MODEL | ({"api_key": api_key} if api_key else {}) | ({"env": env} if env else {})
    case = {"host": "cpu", "models": {"q": model}, "place": [{"model": "q", "gpus": []}]}
    return Scene({**case, "top": top}, folder).site


def test_a_reference_counts_only_for_the_use_that_the_manifest_has_it_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", VALUE)
    one = site(tmp_path, api_key={"env": "KEY"}, env={"TOKEN": {"env": "TOKEN"}})
    resolver, key = SecretResolver(one), SecretRef(env="KEY")
    assert resolver.value(engine_key("h", "q"), key).reveal() == VALUE
    assert resolver.value(route_key("q"), key).reveal() == VALUE
    others = (
        engine_key("h", "r"),
        engine_key("other", "q"),
        engine_variable("h", "q", "TOKEN"),
        route_key("r"),
        GATEWAY_KEY,
    )
    for use in others:
        with pytest.raises(NotStated):
            resolver.value(use, key)


def test_what_a_record_asks_for_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    foreign = SecretRef(command=f"touch {marker}")
    resolver = SecretResolver(site(tmp_path, api_key={"env": "KEY"}))
    for use in (engine_key("h", "q"), route_key("q"), GATEWAY_KEY):
        with pytest.raises(NotStated, match=r"secret .* that the manifest does not have"):
            resolver.value(use, foreign, Files().on())
    assert not marker.exists()


def test_a_command_runs_once_an_apply_whoever_asks(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script = tmp_path / "secret"
    script.write_text(f"#!/bin/sh\necho x >>{runs}; sleep 0.1; wc -l <{runs}\n")
    script.chmod(0o700)
    command = SecretRef(command=str(script))
    resolver = SecretResolver(site(tmp_path, api_key={"command": str(script)}))
    uses = [engine_key("h", "q"), route_key("q")] * 8
    with ThreadPoolExecutor(len(uses)) as pool:
        found = set(pool.map(lambda use: resolver.value(use, command), uses))
    assert [one.reveal() for one in found] == ["1"]
    assert runs.read_text() == "x\n"


def test_one_that_failed_is_not_tried_again(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    script = tmp_path / "secret"
    script.write_text(f"#!/bin/sh\necho x >>{runs}; exit 3\n")
    script.chmod(0o700)
    resolver = SecretResolver(site(tmp_path, api_key={"command": str(script)}))
    for _ in range(3):
        with pytest.raises(NotAtHand, match=r"h/q: .* exited with status 3"):
            resolver.value(engine_key("h", "q"), SecretRef(command=str(script)))
    assert runs.read_text() == "x\n"


def test_a_host_s_file_is_read_once_on_each_host(tmp_path: Path) -> None:
    ref = SecretRef(host_file="/key")
    one = site(tmp_path, api_key={"host_file": "/key"})
    resolver = SecretResolver(one)
    hosts = {"a": Files({"/key": b"sk-a\n"}), "b": Files({"/key": b"sk-b\n"})}
    for _ in range(3):
        for name, files in hosts.items():
            assert resolver.value(route_key("q"), ref, files.on(name)).reveal() == f"sk-{name}"
    assert all(files.asked == ["/key"] for files in hosts.values())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"sk-SECRET\rx", "line break"),
        (b"sk-SECRET\nx", "line break"),
        (b"sk-SECRET\x1b[2J", "control character"),
        (b"sk-SECRET\tx", "control character"),
        (b"sk-SECRET x", "blank"),
        ("sk-SECRET\u00a0x".encode(), "blank"),
        ("sk-SECRET\u00fc".encode(), "outside ASCII"),
        (b"sk-SECRET\xff", "UTF-8"),
        (b"#sk-SECRET", "begins with `#`"),
        (b"sk-SECRET" * 60, "longer than 512"),
        (b"\r\n", "is empty"),
    ],
)
def test_a_key_that_an_engine_would_not_take_is_refused_by_its_name(
    value: bytes, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_bytes(value + b"\n")
    resolver = SecretResolver(site(tmp_path, api_key={"file": str(file)}))
    _refused(resolver, engine_key("h", "q"), SecretRef(file=str(file)), said)


@pytest.mark.parametrize("value", ["sk-SECRET\r\nx", "sk-SECRET\x1b", "sk-SECRET\x00", "a\x85b"])
def test_in_a_variable_control_characters_are_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(value.encode())
    resolver = SecretResolver(site(tmp_path, env={"T": {"file": str(file)}}))
    _refused(resolver, engine_variable("h", "q", "T"), SecretRef(file=str(file)), "control")


def _refused(resolver: SecretResolver, use: SecretUse, ref: SecretRef, said: str) -> None:
    with pytest.raises(XgenError) as caught:
        resolver.value(use, ref)
    text = str(caught.value)
    assert said in text
    assert f"h/q: the secret from file {ref.file} ({use.field})" in text
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "sk-SECRET" not in whole


def test_newline_and_tab_of_a_variable_stay_and_its_line_end_goes(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"first\n\tsecond\r\n")
    resolver = SecretResolver(site(tmp_path, env={"T": {"file": str(file)}}))
    use = engine_variable("h", "q", "T")
    assert resolver.value(use, SecretRef(file=str(file))).reveal() == "first\n\tsecond"


@pytest.mark.parametrize(
    "source",
    [{"file": "/nowhere/key"}, {"env": "NOT_SET"}, {"command": "/nowhere/op read"},
     {"command": "'"}, {"host_file": "/key"}],
)  # fmt: skip
def test_what_is_not_to_be_had_says_so_in_a_sentence(
    source: dict[str, str], tmp_path: Path
) -> None:
    resolver = SecretResolver(site(tmp_path, api_key=source))
    with pytest.raises(NotAtHand, match=r"^h/q: the secret's "):
        resolver.value(engine_key("h", "q"), SecretRef(**source), Files().on())


def test_a_value_is_masked_wherever_it_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(VALUE)
    resolver = SecretResolver(site(tmp_path, api_key={"file": str(file)}))
    found = resolver.value(engine_key("h", "q"), SecretRef(file=str(file)))
    for shown in (str(found), repr(found), f"{found}", f"{[found]}", format(found)):
        assert VALUE not in shown
