"""A model on this machine, under a supervisor, without root: from nothing to nothing."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.lab.process import alive, wait_until
from tests.lab.site import Site
from tests.process.conftest import HERE, PORT

ODD = """it's "100%" $HOME $(touch /tmp/xgen-odd) `id` %n \\n ; & | é -x"""


def _ask(key: str | None = None) -> int:
    """The status of a completion."""
    body = json.dumps({"prompt": "Hello", "max_tokens": 2}).encode()
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/v1/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _processes(text: str) -> dict[int, list[str]]:
    """Living processes with this text in their command line: pid -> argv."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            raw = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        argv = raw.decode(errors="replace").split("\0")[:-1]
        if any(text in word for word in argv) and alive(int(entry.name)):
            found[int(entry.name)] = argv
    return found


def _engines(site: Site) -> dict[int, list[str]]:
    return {p: a for p, a in _processes(str(PORT)).items() if a[0] == site.top["binaries"]["llama"]}


def _engine(site: Site) -> int:
    (pid,) = _engines(site)
    return pid


def _supervisor(site: Site) -> int:
    state = Path(site.env["XDG_STATE_HOME"])
    return int((state / "xgen-deploy" / site.project / "supervisord.pid").read_text())


def _environment(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


def test_from_nothing_to_nothing(site: Site, state: Path) -> None:
    assert site.plan(2).causes(HERE) == {"tiny": "create: not on this host yet"}
    assert not state.exists(), "a plan writes nothing"
    site.apply()
    assert _ask() == 200
    assert "nothing to do" in site.apply().stdout
    supervisor = _supervisor(site)
    mode = (state / "xgen-deploy" / site.project).stat().st_mode
    assert mode & 0o077 == 0, "nobody else may read any of it"
    assert site.run("destroy", "-y").code == 0
    wait_until(lambda: not alive(supervisor), "the supervisor to end", 20)
    assert _ask() == 0
    assert list(state.rglob("*")) == []
    assert _processes(str(state)) == {}


def test_a_crash_is_restarted(site: Site) -> None:
    site.apply()
    first = _engine(site)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: _ask() == 200, "the engine to be started again", 30)
    assert _engine(site) != first
    assert site.plan(0).operations(HERE) == []
    assert site.run("status").code == 0


def test_a_supervisor_that_is_killed_takes_its_engines_along(site: Site) -> None:
    site.apply()
    engine = _engine(site)
    os.kill(_supervisor(site), signal.SIGKILL)
    wait_until(lambda: not alive(engine), "the engine to end too", 20)
    assert site.plan(3).causes(HERE)["tiny"].startswith("repair: ")
    site.apply()
    assert _ask() == 200


def test_a_change_that_does_not_work_is_taken_back(site: Site) -> None:
    site.apply()
    site.models["tiny"]["llama"]["extra_args"] = ["--rope-scaling", "none-such"]
    done = site.run("apply", "-y")
    assert done.code == 1
    assert 'argument "--rope-scaling": invalid value' in done.stdout
    assert "The previous version was put back and serves again" in done.stdout
    assert _ask() == 200
    del site.models["tiny"]["llama"]["extra_args"]
    site.plan(0)


def test_odd_values_reach_the_engine_as_they_are(site: Site, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / ODD.replace("/", "_")
    folder.mkdir()
    (folder / "-m.gguf").write_bytes(model.read_bytes())
    source = str(folder / "-m.gguf")
    args = ["--chat-template", ODD, "--tags", f"{ODD}#;"]
    site.models["tiny"] |= {"source": source, "env": {"ODD": ODD, "DASH": "-n"}}
    site.models["tiny"]["llama"] |= {"extra_args": args}
    site.apply()
    ((pid, argv),) = _engines(site).items()
    assert argv[argv.index("--model") + 1] == source
    assert argv[-len(args) :] == args
    environment = _environment(pid)
    assert f"ODD={ODD}" in environment
    assert "DASH=-n" in environment
    assert not Path("/tmp/xgen-odd").exists()
    site.plan(0)


@pytest.mark.parametrize("folder", ["x" * 200, "a state/", ODD.replace("/", "_") + " ;# [x]*"])
def test_any_folder_keeps_the_state(site: Site, state: Path, folder: str) -> None:
    site.env["XDG_STATE_HOME"] = str(state / folder)
    site.apply()
    assert _ask() == 200
    site.plan(0)
    assert site.run("logs", "tiny", "-n", "1").stdout.strip()
    site.models["tiny"]["llama"]["extra_args"] = ["--rope-scaling", "none-such"]
    done = site.run("apply", "-y")
    assert "The previous version was put back and serves again" in done.stdout, done.said
    supervisor = _supervisor(site)
    assert site.run("destroy", "-y").code == 0
    wait_until(lambda: not alive(supervisor), "the supervisor to end", 20)
    assert list((state / folder).rglob("*")) == []


def test_a_state_folder_that_cannot_be_made_is_refused_by_the_plan(site: Site) -> None:
    site.env["XDG_STATE_HOME"] = "/proc/sys/none"
    said = site.plan(1).refusals(HERE)
    assert "/proc/sys/none/xgen-deploy/t_process (/proc/sys)" in said


def test_a_secret_is_seen_by_the_engine_alone(site: Site, state: Path) -> None:
    site.models["tiny"] |= {"api_key": {"env": "T_KEY"}, "env": {"TOKEN": {"env": "T_TOKEN"}}}
    site.env |= {"T_KEY": "kept-key", "T_TOKEN": "kept-token"}
    said = site.run("plan").said + site.run("render").said + site.apply().said
    assert (_ask(), _ask("kept-key")) == (401, 200)
    assert "TOKEN=kept-token" in _environment(_engine(site))
    said += site.run("logs", "tiny").said + site.run("status", "--json").said
    assert "kept-" not in said
    assert _processes("kept-") == {}
    holders = {p for p in state.rglob("*") if _holds(p, b"kept-")}
    assert {p.name for p in holders} == {"api-key", "start.json"}
    assert {p.stat().st_mode & 0o777 for p in holders} == {0o600}


def test_another_value_of_a_secret_is_an_update(site: Site) -> None:
    site.models["tiny"]["api_key"] = {"env": "T_KEY"}
    site.env["T_KEY"] = "first"
    site.apply()
    assert "nothing to do" in site.apply().stdout
    site.env["T_KEY"] = "second"
    assert "the value of its secret changed" in site.apply().stdout
    assert (_ask("first"), _ask("second")) == (401, 200)
    del site.env["T_KEY"]
    assert site.plan(0).operations(HERE) == []


def _holds(path: Path, text: bytes) -> bool:
    return path.is_file() and text in path.read_bytes()


def test_stopped_started_and_restarted_as_planned(site: Site) -> None:
    """Each is shown and asked, proved where it starts, and written down."""
    site.apply()
    without = site.run("restart")
    assert (without.code, "cannot ask without a terminal; add -y" in without.said) == (1, True)
    before = set(_engines(site))
    done = site.run("restart", "-y")
    assert done.code == 0, done.said
    assert "no observed gateway sends it requests" in done.said
    assert f"answers on port {PORT} again" in done.said
    assert set(_engines(site)).isdisjoint(before)
    stopped = site.run("stop", "-y", "--json")
    assert (stopped.code, len(stopped.json()["hosts"][HERE]["done"])) == (0, 1), stopped.said
    assert _engines(site) == {}
    left = site.run("restart", "-y")
    assert (left.code, "stays stopped: " in left.said) == (0, True), left.said
    assert site.run("start", "-y").code == 0
    assert _ask() == 200
    site.plan(0)
    applies = site.run("history", "--json").json()["applies"]
    assert [a["hosts"][HERE]["what"] for a in applies] == ["start", "stop", "restart", "apply"]
    assert site.run("rollback", "-y").code == 1, "there is no version before to go back to"
