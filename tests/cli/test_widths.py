"""On a terminal of any usual width no line is wider and no word is broken; a pipe gets all."""

import re

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.site import FakeSite
from xgen_deploy.cli.screens.status import _HEAD

COMMANDS = (
    *("status", "gpus", "history", "history 1", "validate", "plan", "verify"),
    *("status --limit gpu-02", "status --versions"),
)
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
# A line of what is under way, with what turns while it is.
_CLOCK = re.compile("[\u2800-\u28ff]")
# Clocks, ages and durations, and the figures without their bars.
_MOVES = re.compile(r"[\d:.()]+s?,?")


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """Names as long as real ones are, a host that is not reached, a model that is gone."""
    long = "qwen2.5-coder-32b-instruct"
    made = make_site(
        {"gpu-01": "h100x4", "gpu-02": "cpu", "gpu-03": "cpu"},
        gateway={**GATEWAY, "host": "gpu-02"},
        models={long: MODEL, "bge-m3": {"source": "/m/bge-m3.gguf", "type": "embedding"}},
        hosts={
            "gpu-01": [q(model=long, gpus=[0]), q(model="bge-m3", gpus=[2])],
            "gpu-02": [q(model=long, name=f"{long}-on-the-cpu"), q(model="bge-m3")],
            "gpu-03": [q(model="bge-m3", name="bge-m3-spare")],
        },
    )
    made.hosts["gpu-01"].engines.clear()
    made.apply()
    made.hosts["gpu-02"].gone.add("/m/bge-m3.gguf")
    made.hosts["gpu-03"].unreachable = "port 22 timed out after 10 s"
    return made


def lines(site: FakeSite, monkeypatch: pytest.MonkeyPatch, command: str, width: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    return _STYLE.sub("", site.run(*command.split()).out).splitlines()


def words(text: list[str]) -> set[str]:
    return {word for line in text for word in line.split()}


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_of_any_width(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    piped = site.run(*command.split()).out.splitlines()
    shown = lines(site, monkeypatch, command, width)
    for line in shown:
        if "$ " in line:
            continue  # to be copied as it is
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= width or longest > width - 35, line
    assert {w for w in words(shown) - words(piped) if not _MOVES.fullmatch(w)} == set()


def test_columns_go_in_the_documented_order(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = []
    for width in (200, 80, 70, 60):
        shown = lines(site, monkeypatch, "status", width)
        heads.append(next(line.split() for line in shown if line.startswith("HOST")))
    assert heads[0] == list(_HEAD)
    assert heads[1] == ["HOST", "INSTANCE", "STATE", "BACKEND", "PORT", "GPU"]
    assert heads[2] == ["HOST", "INSTANCE", "STATE", "PORT", "GPU"] or len(heads[2]) < len(heads[1])
    assert set(heads[3]) >= {"HOST", "INSTANCE", "STATE"}


def test_a_pipe_gets_every_column(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert "CTXxSLOTS  RESTARTS" in site.run("status").out


def test_the_lines_of_a_change_and_of_a_saved_plan_are_broken_between_words_too(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.hosts["gpu-02"].gone.clear()
    site.change(lambda m: m["models"]["bge-m3"].update(n_ctx=2048))
    plan = site.folder / "plan.json"
    site.run("plan", "-o", str(plan))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = [site.run_on(plan, "show").out, site.run("apply", "-y").out]
    for line in (line for out in shown for line in _STYLE.sub("", out).splitlines()):
        if _CLOCK.match(line):
            continue  # what ticks is drawn over, and cut by itself
        longest = max(map(len, line.split()), default=0)
        assert len(line) <= 60 or longest > 25 or "$ " in line, line
