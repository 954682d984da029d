"""From nothing to a model that answers, over what people do to a host by hand, to nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import ask, engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, alone, small_model

RUNTIMES = ("docker", "systemd")
PORT = 8101


def _site(folder: Path, host: LabHost, runtime: str, project: str, port: int) -> Site:
    site = Site(folder, project, runtime, ports=f"{port}-{port + 1}")
    site.serve(host.name, listen=host.address)
    return site


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, "lab-main") as found:
        yield found


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_whole_job(host: LabHost, tmp_path: Path, runtime: str) -> None:
    site = _site(tmp_path, host, runtime, f"t_main_{runtime}", PORT)
    unit = f"xgen-t_main_{runtime}-gemma.service"
    before = host.files()
    try:
        assert site.plan(2).causes(host.name) == {"gemma": "create: not on this host yet"}
        assert host.files() == before

        site.apply()
        assert ask.completion(host, PORT)
        again = site.plan(0)
        assert again.operations(host.name) == []
        assert again.json()["summary"]["unchanged"] == 1

        site.models["gemma"] = small_model(n_ctx=768)
        (operation,) = site.plan(2).operations(host.name)
        assert operation["action"] == "update"
        assert operation["diff"] == [{"path": "n_ctx", "before": 512, "after": 768}]
        site.apply()
        assert _context(site) == 768
        site.plan(0)

        host.run(["systemctl", "stop", unit])
        stopped = site.plan(3).causes(host.name)
        assert stopped["gemma"].startswith("repair: it was stopped by hand")
        site.apply()
        assert ask.completion(host, PORT)

        site.placements[host.name] = []
        assert site.plan(2).causes(host.name) == {"gemma": "remove: no longer in the manifest"}
        site.apply()
        assert ask.status_of(host, PORT) == 0
        site.plan(0)
    finally:
        destroyed = site.run("destroy", "-y")
    assert destroyed.code == 0, destroyed.said
    assert sorted(host.files() ^ before) == []
    assert host.sh("docker ps -aq") == ""
    assert unit not in host.sh("systemctl list-units --all --full --plain")


def _context(site: Site) -> int:
    (row,) = site.run("status", "--json").json()["models"]
    context: int = row["context_length"]
    return context


def _stop(host: LabHost, service: str) -> None:
    host.run(["systemctl", "stop", f"{service}.service"])


def _disable(host: LabHost, service: str) -> None:
    host.run(["systemctl", "disable", f"{service}.service"])


def _edit(host: LabHost, service: str) -> None:
    host.sh(f"sed -i 's/^RestartSec=.*/RestartSec=77/' /etc/systemd/system/{service}.service")


def _delete(host: LabHost, service: str) -> None:
    host.sh(f"rm /etc/systemd/system/{service}.service; systemctl daemon-reload")


def _drop_in(host: LabHost, service: str) -> None:
    folder = f"/etc/systemd/system/{service}.service.d"
    host.sh(f"mkdir -p {folder}; printf '[Service]\\nNice=5\\n' > {folder}/nice.conf")
    host.run(["systemctl", "daemon-reload"])


def _kill_for_good(host: LabHost, service: str) -> None:
    """As after so many ends that systemd starts it no more."""
    folder = f"/run/systemd/system/{service}.service.d"
    host.sh(
        f"mkdir -p {folder}; printf '[Service]\\nRestart=no\\n' > {folder}/no.conf;"
        " systemctl daemon-reload;"
        f" kill -KILL $(systemctl show -P MainPID {service}.service);"
        f" until systemctl is-failed --quiet {service}.service; do sleep 0.1; done;"
        f" rm -r {folder}; systemctl daemon-reload"
    )


HARMS: dict[str, tuple[Callable[[LabHost, str], None], str]] = {
    "stopped": (_stop, "it was stopped by hand"),
    "disabled": (_disable, "the unit is disabled"),
    "edited": (_edit, "was edited by hand"),
    "deleted": (_delete, "is missing"),
    "dropped": (_drop_in, "drop-ins change the unit"),
    "killed": (_kill_for_good, "it failed"),
}
# Where the engine is left alone.
ONLY_FILES = frozenset({"disabled", "edited", "deleted", "dropped"})
Deployed = tuple[Site, LabHost]
SAME = "same"


@pytest.fixture(scope="module", params=RUNTIMES)
def deployed(
    host: LabHost, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Deployed]:
    """An instance for each harm and one that nobody touches, applied once for the tests below."""
    site = Site(tmp_path_factory.mktemp("drift"), f"t_drift_{request.param}", request.param)
    engine_site.place_models(host)
    for name in (SAME, *HARMS):
        site.models[name] = engine_site.tiny()
        site.serve(host.name, name)
    site.apply()
    yield site, host
    assert site.run("destroy", "-y").code == 0
    assert "t_drift" not in host.sh("find /etc /var/lib; docker ps -a")


def _service(site: Site, name: str) -> str:
    return f"xgen-{site.project}-{name}"


def _invocation(site: Site, host: LabHost, name: str) -> str:
    return host.sh(f"systemctl show -P InvocationID {_service(site, name)}.service")


def test_what_lies_on_the_host(lab: Lab, deployed: Deployed) -> None:
    site, lab_host = deployed
    host = lab.testinfra(lab_host.name, sudo=True)
    service = host.service(_service(site, SAME))
    assert service.is_enabled
    assert service.is_running
    unit = host.file(f"/etc/systemd/system/{_service(site, SAME)}.service")
    assert (unit.mode, unit.user) == (0o644, "root")
    for folder in (f"/etc/xgen-deploy/{site.project}", f"/var/lib/xgen-deploy/{site.project}"):
        assert (host.file(folder).mode, host.file(folder).user) == (0o700, "root")
    record = host.file(f"/var/lib/xgen-deploy/{site.project}/record.json")
    assert record.mode == 0o600
    entry = json.loads(record.content_string)["instances"][SAME]
    if site.runtime == "docker":
        assert host.file(f"/etc/xgen-deploy/{site.project}/{SAME}/env").mode == 0o600
        (box,) = json.loads(host.check_output(f"docker inspect {_service(site, SAME)}"))
        labels = box["Config"]["Labels"]
        assert labels["xgen.project"] == site.project
        assert labels["xgen.instance"] == SAME
        assert labels["xgen.digest"] == entry["digest"]
        assert box["HostConfig"]["CapDrop"] == ["ALL"]
        assert box["HostConfig"]["ReadonlyRootfs"]
        assert not box["HostConfig"]["Privileged"]


def test_an_engine_runs_as_nobody_special(deployed: Deployed) -> None:
    _, host = deployed
    process = host.sh("pgrep -x llama-server | head -n 1")
    status = host.sh(f"cat /proc/{process}/status")
    assert "\nUid:\t0\t" not in status
    assert "\nCapEff:\t0000000000000000" in status
    assert "\nNoNewPrivs:\t1" in status


def test_a_night_without_the_repository(deployed: Deployed, tmp_path: Path) -> None:
    """What the host keeps is enough to see, to restart, and to ask for help."""
    site, host = deployed
    listed = site.run_on(Path(host.name), "projects", "--json").json()["hosts"][host.name]
    (project,) = [p for p in listed["projects"] if p["project"] == site.project]
    assert {i["instance"] for i in project["instances"]} == {SAME, *HARMS}
    kept = site.run_on(Path(f"--from-host={host.name}"), "config", "--project", site.project)
    assert kept.code == 0, kept.said
    night = tmp_path / "night.yaml"
    night.write_text(kept.stdout)
    planned = site.run_on(night, "plan", "--detailed-exitcode")
    assert planned.code == 0, planned.said
    assert "of another manifest, site.yaml; this is night.yaml" in planned.said
    before = _invocation(site, host, SAME)
    restarted = site.run_on(night, "restart", SAME, "-y")
    assert restarted.code == 0, restarted.said
    assert _invocation(site, host, SAME) != before
    assert site.run_on(night, "logs", SAME, "-n", "5").stdout.count("\n") == 5
    assert site.run_on(night, "status").code == 0
    ticket = tmp_path / "ticket.txt"
    for target in (night, Path(host.name)):
        asked = site.run_on(target, "support", "--anonymous", "-o", str(ticket))
        assert asked.code == 0, asked.said
        text = ticket.read_text()
        assert f"instance {SAME}: model {SAME}" in text
        assert "layers, context" in text, "the engine's own report"
        assert not [name for name in (host.name, host.address, places.ENGINE) if name in text]


def test_what_is_done_by_hand_is_seen_and_repaired(deployed: Deployed) -> None:
    """Files are put right beside what runs; what does not run is started, side by side."""
    site, host = deployed
    before = {name: _invocation(site, host, name) for name in ONLY_FILES}
    for name, (harm, _) in HARMS.items():
        harm(host, _service(site, name))
    causes = site.plan(3).causes(host.name)
    assert causes.keys() == HARMS.keys()
    for name, (_, cause) in HARMS.items():
        assert causes[name].startswith("repair: ")
        assert cause in causes[name]
    said = site.apply().stdout
    assert {name: _invocation(site, host, name) for name in ONLY_FILES} == before
    assert said.count("  starting") == len(HARMS.keys() - ONLY_FILES)
    assert said.rindex("  starting") < said.index("answers on port")
    assert site.plan(0).operations(host.name) == []
    assert site.run("status").code == 0


def test_a_killed_engine_is_started_again_without_us(deployed: Deployed) -> None:
    site, host = deployed
    unit = f"{_service(site, SAME)}.service"
    pid = f"$(systemctl show -P MainPID {unit})"
    if site.runtime == "docker":
        pid = f"$(docker inspect -f '{{{{.State.Pid}}}}' {_service(site, SAME)})"
    host.sh(
        f"kill -KILL {pid}; until [ $(systemctl show -P NRestarts {unit}) -gt 0 ];"
        " do sleep 0.2; done; until curl -sf http://127.0.0.1:8101/health; do sleep 0.2; done"
    )
    site.plan(0)
    (row,) = [r for r in site.run("status", "--json").json()["models"] if r["instance"] == SAME]
    assert (row["status"], row["restarts"]) == ("running", 1)


_BY_HAND = """[Service]
ExecStart={engine} -m {model} --host 127.0.0.1 --port 8151 -c 256
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def by_hand(host: LabHost) -> Iterator[None]:
    """A unit and a container that somebody made, each with an engine that serves."""
    engine_site.place_models(host)
    unit = _BY_HAND.format(engine=places.ENGINE, model=engine_site.TINY)
    host.sh(f"cat > /etc/systemd/system/mine.service <<'END'\n{unit}END")
    host.sh(
        "systemctl enable --now mine.service; docker run -d --restart always --name mine"
        f" -p 127.0.0.1:8152:8080 -v {engine_site.MODELS}:/m:ro {places.IMAGE}"
        " -m /m/tiny.gguf --host 0.0.0.0 --port 8080 -c 256"
    )
    for port in (8151, 8152):
        host.sh(f"until curl -sf http://127.0.0.1:{port}/health; do sleep 0.2; done")
    yield
    host.sh(
        "docker rm -f mine; systemctl disable --now mine.service;"
        " rm /etc/systemd/system/mine.service; systemctl daemon-reload"
    )


@pytest.mark.usefixtures("by_hand")
def test_what_was_started_by_hand_is_taken_over(host: LabHost, tmp_path: Path) -> None:
    site = Site(tmp_path, "t_adopt", "systemd", ports="8151-8152")
    for name, adopt in (("a", {"unit": "mine.service"}), ("b", {"container": "mine"})):
        site.models[name] = engine_site.tiny(env={"LLAMA_ARG_BATCH": "nonsense"})
        site.serve(host.name, name, adopt=adopt)
    running = (
        "systemctl is-active mine.service || true; docker inspect -f '{{.State.Running}}' mine"
    )
    try:
        # What does not start leaves what serves, as it was.
        failed = site.run("apply", "-y")
        assert failed.code == 1
        assert "unit mine.service was started again" in failed.stdout
        assert host.sh(running).split() == ["active", "true"]
        for name in "ab":
            site.models[name] = engine_site.tiny()
        causes = site.plan(2).causes(host.name)
        assert "takes over from unit mine.service, which listens on its port 8151" in causes["a"]
        assert "takes over from container mine, which listens on its port 8152" in causes["b"]
        site.apply()
        assert host.sh(running).split() == ["inactive", "false"]
        assert host.sh("systemctl is-enabled mine.service || true") == "disabled"
        policy = "docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' mine"
        assert host.sh(policy) == "no"
        assert site.run("verify").code == 0
        site.plan(0)
    finally:
        assert site.run("destroy", "-y").code == 0
