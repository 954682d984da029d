"""`support`: what a ticket needs, without what is nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, make_site, q  # noqa: F401 - a fixture
from tests.cli.test_json import values
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.cli.redaction import Pseudonyms, without_secrets

ERROR = "0.01.002.003 E llama_model_load: error loading model: unknown architecture"
PROMPT = "what the customer asked"


@pytest.fixture
def applied(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:  # noqa: F811
    """A model whose last change failed; its log also has what was asked of it."""
    models = {
        "q": {
            **MODEL,
            "api_key": {"env": "ENGINE_KEY"},
            "env": {"SITE": "a value of the customer"},
            "image": "registry.lotte.example/engine:1",
        }
    }
    site: FakeSite = make_site({"g": "cpu", "gpu-h": "h100"}, gateway=GATEWAY, models=models,
                               hosts={"gpu-h": [q(gpus=[0])]})  # fmt: skip
    site.apply()
    site.hosts["gpu-h"].engines["--ctx-size 8192"] = Engine(dies="at once", complaint=ERROR)
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096, env={"SITE": "another value"}))
    assert site.run("apply", "-y").code == 1
    site.hosts["gpu-h"].files[LAYOUT.failed_log("q")] = (
        f"srv  request: prompt: {PROMPT}\n{ERROR}\n0.02 E failed for prompt: {PROMPT}\n"
        "0.03 E rejected: api_key=sk-args-123456\n".encode()
    )
    monkeypatch.chdir(site.folder)
    return site


def _text(site: FakeSite, *words: str, code: int = 0) -> str:
    ran = site.call("support", *words, "-o", "support.txt")
    assert ran.code == code, ran.said
    path = Path("support.txt")
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


def test_a_manifest_s_has_plan_states_facts_reports_and_errors(applied: FakeSite) -> None:
    text = _text(applied, "manifest.yaml")
    for part in (
        "xgen-deploy 0.", "\nPlan\n----\n", "update  q", "\nStatus\n------\n", "running",
        "H100", "driver", "apply #2", "failed", "instance q: model q", "/37 layers",
        "    ! " + ERROR,
    ):  # fmt: skip
        assert part in text, f"{part}\n{text}"
    assert max(map(len, text.splitlines())) <= 100, "it fits on paper"


def test_a_manifest_that_is_left_out_is_the_usual_one(
    applied: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XGEN_MANIFEST", "manifest.yaml")
    assert "\nPlan\n----\n" in _text(applied)


def test_hosts_alone_need_no_manifest(applied: FakeSite) -> None:
    text = _text(applied, "gpu-h", "g")
    assert "\ngpu-h: project p\n" in text
    assert "\ng: project p\n" in text
    assert "gateway: " in text
    assert "\nPlan\n" not in text


@pytest.mark.parametrize("words", [("manifest.yaml",), ("gpu-h", "g")])
def test_secrets_prompts_and_values_are_left_out(applied: FakeSite, words: tuple[str, ...]) -> None:
    text = _text(applied, *words)
    for private in ("sk-", PROMPT, "a value of the customer", "another value"):
        assert private not in text


@pytest.mark.parametrize("words", [("manifest.yaml",), ("kim@gpu-h", "g")])
def test_an_anonymous_one_names_nobody(applied: FakeSite, words: tuple[str, ...]) -> None:
    text = _text(applied, *words, "--anonymous")
    for private in ("gpu-h", "registry.lotte.example", "/m/", "/opt/", str(applied.folder), "kim"):
        assert private not in text, text
    assert "host-" in text
    assert ".gguf" in text, "what a file is helps"
    assert ERROR in text
    if "\nStatus\n" in text:
        rows = text.partition("\nStatus\n")[2].splitlines()
        at = next(n for n, row in enumerate(rows) if row.startswith("HOST "))
        head, row = rows[at : at + 2]
        assert row[head.index("STATE") :].startswith("running"), f"{head}\n{row}"
        assert row[head.index("BACKEND") :].startswith("llama"), f"{head}\n{row}"


def test_an_unreachable_host_is_said_and_the_others_are_there(applied: FakeSite) -> None:
    applied.hosts["gpu-h"].unreachable = "no route to host"
    text = _text(applied, "manifest.yaml", code=4)
    assert "\ngpu-h\n-----\nnot reached: no route to host\n" in text
    assert "\ng: project p\n" in text


def test_nothing_is_changed(applied: FakeSite) -> None:
    before = {name: dict(host.files) for name, host in applied.hosts.items()}
    _text(applied, "manifest.yaml")
    assert {name: dict(host.files) for name, host in applied.hosts.items()} == before


def test_its_json_says_where_it_is(applied: FakeSite) -> None:
    (document,) = values(applied.call("support", "gpu-h", "--json"), "support")
    assert Path(document["file"]).name.startswith("xgen-support-")
    assert document["hosts"] == {"gpu-h": True}


def test_a_manifest_stands_alone(applied: FakeSite) -> None:
    ran = applied.call("support", "manifest.yaml", "gpu-h")
    assert (ran.code, "name it alone" in ran.said) == (1, True)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("--api-key sk-1234567890", "--api-key <left out>"),
        ("HF_TOKEN=abcdefgh1234", "HF_TOKEN=<left out>"),
        ('"password": "correct horse"', '"password": <left out>'),
        ("password='my pw'", "password=<left out>"),
        ("--api-key s3cr", "--api-key <left out>"),
        ("PGPASS=a,b", "PGPASS=<left out>"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic <left out>"),
        ("key eyJhbGciOiJI.eyJzdWIi.abc-1", "key <left out>"),
        ("x.service:7  Environment=SITE=b -> (not set)", "x.service:7  Environment=<left out>"),
        ("x.service:9  ... -e SITE=b -> ...", "x.service:9  ... -e SITE=<left out> -> ..."),
        ("      env:1       SITE=a -> b", "      env:1       <left out>"),
        ("query: 'what is it'", "query: <left out>"),
        ("special token: 151645, tokens: 4096", "special token: 151645, tokens: 4096"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer <left out>"),
        ("GET https://kim:pw@host/x?sig=1 ok", "GET https://host/x ok"),
        ("loading hf_abcdefghijkl", "loading <left out>"),
        ("    env.SITE    a -> b", "    env.SITE    <left out>"),
        ('{"prompt": "secret words", "n": 1}', '{"prompt": <left out>'),
        ("19 tokens per second, 2048 tokens", "19 tokens per second, 2048 tokens"),
        ("image sha256:0123abcd", "image sha256:0123abcd"),
    ],
)
def test_what_is_taken_for_a_secret(text: str, clean: str) -> None:
    assert without_secrets(text) == clean


def test_the_tool_s_own_name_stays() -> None:
    names = Pseudonyms()
    names.add("user", ["deploy"])
    assert names.apply("xgen-deploy as deploy@h") == "xgen-deploy as user-1@h"


def test_a_manifest_s_name_is_a_path_also_where_it_is_relative() -> None:
    names = Pseudonyms()
    assert names.apply("as lotte.yaml says; a/lotte.yaml:9:5 and /srv/lotte.yml, 로테.yaml") == (
        "as path-2.yaml says; path-3.yaml:9:5 and /path-1.yml, path-4.yaml"
    )


def test_pseudonyms_are_the_same_everywhere() -> None:
    names = Pseudonyms()
    names.add("host", ["gpu-01", "gpu-011", "10.0.0.5"])
    names.add("user", ["kim", "root", None, ""])
    assert names.apply("kim@gpu-011 (gpu-01, 10.0.0.5, root)") == (
        "user-1@host-2 (host-1, host-3, root)"
    )
    assert names.apply("nothing at 10.0.0.5.") == "nothing at host-3."
    assert names.apply("not 10.0.0.9.") == "not address-1."
    assert names.apply("http://10.0.0.9:8001/v1 and 127.0.0.1, 12:34:56") == (
        "http://address-1:8001/v1 and 127.0.0.1, 12:34:56"
    )
    assert names.apply("/srv/a/m.gguf:/data/x ~/y.txt /srv/a/m.gguf 19/19 and/or") == (
        "/path-1.gguf:/path-2 /path-3.txt /path-1.gguf 19/19 and/or"
    )
    assert names.apply("fe80::1:2:3:4 0000:41:00.0 GPU-0a1b2c3d-0000") == (
        "address-2 0000:41:00.0 card-1"
    )


def test_values_that_were_typed_into_files_are_left_out(applied: FakeSite) -> None:
    host, env = applied.hosts["gpu-h"], {"SITE": "a value of the customer"}
    applied.change(lambda m: m["models"]["q"].update(n_ctx=2048, env=env))
    host.files[LAYOUT.definition("q")] += b"Environment=OF=a customer\n"
    host.files[f"{LAYOUT.settings('q')}/env"] += b"OF=a customer\n"
    text = _text(applied, "manifest.yaml")
    assert "was edited by hand" in text
    assert "a customer" not in text
