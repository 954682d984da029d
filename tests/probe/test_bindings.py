"""Of NVIDIA's bindings only what is called travels, and it works as the whole does."""

from importlib.metadata import files
from pathlib import Path
from types import ModuleType

import pytest

from xgen_deploy.probe.bindings import nvml_bindings, trimmed
from xgen_deploy.probe.remote import gpu_nvml

CALLER = Path(gpu_nvml.__file__).read_text()


def test_what_is_sent_is_small_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    source = nvml_bindings(CALLER)
    (whole,) = [file for file in files("nvidia-ml-py") or () if file.name == "pynvml.py"]
    assert len(source) < whole.locate().stat().st_size / 10  # type: ignore[attr-defined]
    module = ModuleType("pynvml")
    monkeypatch.setitem(__import__("sys").modules, "pynvml", module)
    exec(compile(source, "pynvml", "exec"), module.__dict__)  # noqa: S102  # what a host does
    assert str(module.NVMLError(15)) == "GPU is lost"
    assert type(module.NVMLError(18)).__name__ == "NVMLError_LibRmVersionMismatch"


SOURCE = '''"""Of what is here, `b` needs `a`."""
import sys

a = 1
class Never:
    pass

@staticmethod
def b():
    return a
def c():
    return b
if a:
    d = 2
else:
    d = 3
'''


def test_what_is_needed_is_kept_in_order() -> None:
    short = trimmed(SOURCE, ["b"])
    assert "class Never" not in short
    assert "def c" not in short
    found: dict[str, object] = {}
    exec(short, found)  # noqa: S102  # what a host does
    assert (found["a"], found["d"]) == (1, 2)
    assert "b" in found


def test_what_is_not_understood_is_sent_whole() -> None:
    assert trimmed(SOURCE, ["elsewhere"]) == SOURCE
