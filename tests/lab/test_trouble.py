"""What comes out when something is wrong: with the way to a host, on a host, with an engine."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import access, ask, engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Fields, Site, alone

HOST = "lab-main"
PLACE = "/srv/trouble"
# Another project of this module, whose timer looks after its engine meanwhile.
OTHERS = ("/var/lib/xgen-deploy/t_served/heal.state",)


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        yield found


@pytest.fixture
def broken_ways(lab: Lab, host: LabHost, tmp_path: Path) -> Site:
    """Each host of the inventory is the same one, reached in another way."""
    access.make_key(tmp_path / "other_key", "nobody knows it")
    config = tmp_path / "ssh_config"
    impostor = (tmp_path / "other_key.pub").read_text().split()
    (tmp_path / "known_hosts").write_text(f"{host.address} {impostor[0]} {impostor[1]}\n")
    config.write_text(
        f"Host impostor\n  HostName {host.address}\n  UserKnownHostsFile {tmp_path}/known_hosts\n"
        + access.config_path().read_text()
    )
    address = {"ansible_host": host.address}
    hosts: dict[str, Fields] = {
        "good": address,
        "banner": {**address, "ansible_user": "banner"},
        "nowhere": {"ansible_host": "nowhere.invalid"},
        "closed": {**address, "ansible_port": 1},
        "stranger": {**address, "ansible_user": "root"},
        "impostor": {},
        "askpass": {**address, "ansible_user": "askpass"},
    }
    site = Site(tmp_path, "t_ways", hosts=hosts, ssh_config=config)
    for name in hosts:
        site.serve(name, name=f"gemma-{name}")
    return site


def test_a_host_that_cannot_be_reached_is_reported_and_the_others_go_on(broken_ways: Site) -> None:
    limit = [word for name in broken_ways.hosts if name != "good" for word in ("--limit", name)]
    said = broken_ways.plan(4, *limit).json()["hosts"]
    reached = {name for name, one in said.items() if one["reachable"]}
    assert reached == {"banner"}
    assert said["banner"]["operations"][0]["action"] == "create"
    told = broken_ways.run("plan", *limit).stdout
    for name, reason, hint in (
        ("nowhere", "nowhere.invalid", "ansible_host"),
        ("closed", "port 1 refused the connection", "sshd"),
        ("stranger", "no key was accepted (tried: ", "authorized_keys"),
        ("impostor", "its host key has changed", "ssh-keygen -f "),
        ("askpass", "asks askpass for a password", "--ask-become-pass"),
    ):
        part = told[told.index(f"{name}  UNREACHABLE") :].split("\n\n")[0]
        assert reason in part, part
        assert hint in part, part


def test_where_no_host_can_be_reached_it_is_code_4_too(broken_ways: Site) -> None:
    assert broken_ways.plan(4, "--limit", "nowhere", "--limit", "closed").said
    assert broken_ways.run("apply", "-y", "--limit", "nowhere").code == 4


def test_one_machine_under_two_names_is_refused_by_both(broken_ways: Site) -> None:
    plan = broken_ways.plan(1, "--limit", "good", "--limit", "banner")
    assert "it is the same machine as banner" in plan.refusals("good")
    assert "it is the same machine as good" in plan.refusals("banner")


def test_sudo_s_password_can_be_given(broken_ways: Site) -> None:
    argv = broken_ways.argv("plan", "--limit", "askpass", "--ask-become-pass")
    given = {}
    for password in (places.ASKPASS_PASSWORD, "wrong"):
        done = subprocess.run(
            argv,
            input=f"{password}\n",
            capture_output=True,
            text=True,
            start_new_session=True,
            env=broken_ways.environment(),
            check=False,
        )
        assert password not in done.stdout + done.stderr.replace("wrong password", "")
        given[password] = (done.returncode, done.stdout)
    assert given[places.ASKPASS_PASSWORD][0] == 0, given
    assert given["wrong"][0] == 4
    assert "did not accept the password" in given["wrong"][1]


def test_hosts_that_are_reached_are_done_though_others_are_not(
    lab: Lab, host: LabHost, tmp_path: Path
) -> None:
    site = Site(tmp_path, "t_three", ports="8101-8103", models={"gemma": engine_site.tiny()})
    for one in lab.hosts(HOST, "lab-spare"):
        engine_site.place_models(one)
        site.serve(one.name)
    site.hosts["gone"] = {"ansible_host": host.address, "ansible_port": 1}
    site.serve("gone")
    try:
        done = site.run("apply", "-y")
        assert done.code == 4, done.said
        assert "port 1 refused the connection" in done.said
        after = site.plan(4)
        assert (after.operations(HOST), after.operations("lab-spare")) == ([], [])
        assert site.run("status").code == 4
    finally:
        assert site.run("destroy", "-y").code == 4


def test_models_that_cannot_be_served_are_refused(host: LabHost, tmp_path: Path) -> None:
    host.sh(
        f"mkdir -p {PLACE}/folder; head -c 100000 {engine_site.TINY} > {PLACE}/short.gguf;"
        f" echo hello > {PLACE}/text.gguf; : > {PLACE}/empty.gguf"
    )
    site = Site(tmp_path, "t_models", hosts={HOST: {}})
    wanted = {
        "missing": f"{PLACE}/nowhere.gguf",
        "text": f"{PLACE}/text.gguf",
        "empty": f"{PLACE}/empty.gguf",
        "short": f"{PLACE}/short.gguf",
        "folder": f"{PLACE}/folder",
        "several": engine_site.MODELS,
        "adapter": engine_site.ADAPTER,
        "projector": engine_site.PROJECTOR,
    }
    for name, source in wanted.items():
        site.models[name] = engine_site.tiny(source=source)
        site.serve(HOST, name)
    reasons = {
        "missing": "is not there",
        "text": "it does not begin with `GGUF`",
        "empty": "is empty",
        "short": "cut short",
        "folder": "",
        "several": "holds several GGUF files: minilm.gguf, tiny-lora.gguf, tiny.gguf",
        "adapter": "it is an adapter",
        "projector": "it is a projector",
    }
    try:
        done = site.plan(1)
        found = {r["instance"]: r["reason"] for r in done.json()["hosts"][HOST]["refusals"]}
        assert found.keys() == wanted.keys()
        for name, source in wanted.items():
            assert source in found[name]
            assert reasons[name] in found[name], found[name]
        told = site.run("apply", "-y")
        assert told.code == 1
        assert f"{HOST}/short: model {PLACE}/short.gguf" in told.said
        assert "site.yaml:" in told.said
        assert host.run(["test", "-e", "/var/lib/xgen-deploy/t_models"], check=False).returncode
    finally:
        host.sh(f"rm -r {PLACE}")


def test_a_quantisation_in_the_only_revision_of_the_cache_is_served(
    host: LabHost, tmp_path: Path
) -> None:
    cache = "/srv/lab-hf"
    folder = f"{cache}/hub/models--lab--tiny/snapshots/0123456789abcdef0123456789abcdef01234567"
    host.sh(f"mkdir -p {folder}; cp {engine_site.TINY} {folder}/tiny-Q8_0.gguf")
    host.sh(f"cp {engine_site.PROJECTOR} {folder}/mmproj-F16.gguf; echo {{}} >{folder}/config.json")
    source = "hf.co/lab/tiny:Q8_0"
    site = Site(tmp_path, "t_cached", models={"gemma": engine_site.tiny(source=source)})
    site.hosts[HOST] = {"xgen_hf_home": cache}
    site.serve(HOST)
    try:
        assert "the only one there is taken: 0123456789ab" in site.run("plan").said
        site.apply()
        assert site.plan(0).operations(HOST) == []
    finally:
        assert site.run("destroy", "-y").code == 0
        host.sh(f"rm -r {cache}")


def test_a_host_without_docker(lab: Lab, tmp_path: Path) -> None:
    lab.host("lab-bare")
    site = Site(tmp_path, "t_docker", "docker")
    site.serve("lab-bare")
    said = site.plan(1).refusals("lab-bare")
    assert "Docker is not installed" in said
    assert "apt-get install docker.io" in said


def test_a_docker_that_is_down(host: LabHost, tmp_path: Path) -> None:
    site = Site(tmp_path, "t_docker", "docker")
    site.serve(HOST)
    host.sh("systemctl stop docker.socket docker.service")
    try:
        said = site.plan(1).refusals(HOST)
    finally:
        host.sh("systemctl start docker.service")
    assert "systemctl start docker" in said


def test_a_journal_that_keeps_nothing_proves_nothing(host: LabHost, tmp_path: Path) -> None:
    """On the CPU, where a log without a GPU is just what was asked for."""
    site = Site(tmp_path, "t_journal", models={"gemma": engine_site.tiny()}, ports="8110")
    site.serve(HOST)
    setting = "/etc/systemd/journald.conf.d/none.conf"
    host.sh(f"mkdir -p {setting.rpartition('/')[0]}; printf '[Journal]\nStorage=none\n' >{setting}")
    try:
        host.sh("systemctl restart systemd-journald")
        said = site.plan(1).refusals(HOST)
        assert f"`Storage=none` in [Journal] of {setting}" in said
        host.sh(f"rm {setting}")  # which journald has not read yet
        done = site.run("apply", "-y")
        assert done.code == 1, done.said
        assert "nothing proves that it runs as stated: the journal has no line of this" in done.said
    finally:
        host.sh(f"rm -f {setting}; systemctl restart systemd-journald")
    site.apply()
    assert site.run("destroy", "-y").code == 0


@pytest.mark.parametrize(
    ("pull", "way_out"), [("missing", "`pull: push`"), ("never", "docker load")]
)
def test_an_image_that_is_not_there(host: LabHost, tmp_path: Path, pull: str, way_out: str) -> None:
    image = "registry.invalid/llama-server:7"
    site = Site(tmp_path, "t_docker", "docker", top={"pull": pull, "images": {"llama": image}})
    site.serve(HOST)
    said = site.plan(1).refusals(HOST)
    assert image in said
    assert way_out in said
    assert ("cannot look up the name registry.invalid" in said) == (pull == "missing"), said


def test_a_port_that_somebody_else_holds(host: LabHost, tmp_path: Path) -> None:
    host.sh(
        "systemd-run --quiet --unit=t-foreign python3 -m http.server --bind 127.0.0.1 8101;"
        " until curl -s http://127.0.0.1:8101/; do sleep 0.1; done"
    )
    site = Site(tmp_path, "t_port")
    try:
        site.serve(HOST, port=8101)
        said = site.plan(1).refusals(HOST)
        assert "port 8101 is held by python3 (pid " in said
        assert "t-foreign.service" in said
        site.placements[HOST][0].pop("port")
        assert ":8102" in site.run("plan").stdout
    finally:
        host.sh("systemctl stop t-foreign.service")


@pytest.fixture(scope="module")
def served(
    host: LabHost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, LabHost]]:
    """A version that works; the tests below try to replace it by one that does not."""
    host.sh(
        f"mkdir -p {PLACE}; cat > {PLACE}/asleep <<'EOF'\n#!/bin/sh\n"
        f"case $* in *--help*) exec {places.ENGINE} --help;; esac\n"
        "echo I am a little tired; exec sleep 1000\nEOF\n"
        f"cat > {PLACE}/fragile <<'EOF'\n#!/bin/sh\n"
        f"case $* in *--help*) exec {places.ENGINE} --help;; esac\n"
        f'{places.ENGINE} "$@" 2>&1 | while read -r line; do echo "$line";\n'
        "case $line in *launch_slot_*) kill -KILL 0;; esac; done\nEOF\n"
        f"chmod 755 {PLACE}/asleep {PLACE}/fragile;"
        f" sed '0,/llama/s//llema/' {engine_site.TINY} > {PLACE}/odd.gguf"
    )
    folder = tmp_path_factory.mktemp("served")
    site = Site(folder, "t_served", ports="8106-8107", models={"gemma": engine_site.tiny()})
    site.hosts[HOST] = {"xgen_software_gpu": True}
    site.serve(HOST, listen=host.address)
    site.apply()
    yield site, host
    assert site.run("destroy", "-y").code == 0
    host.sh(f"rm -r {PLACE}")


BAD: dict[str, tuple[Fields, str, str]] = {
    "exits": (
        {"llama": {"extra_args": ["--rope-scaling", "none-such"]}},
        "it exited",
        'argument "--rope-scaling": invalid value',
    ),
    "never ready": (
        {"binary": f"{PLACE}/asleep", "update": {"timeout": "3s"}},
        "not ready in time",
        "I am a little tired",
    ),
    "dies on the first request": (
        {"binary": f"{PLACE}/fragile"},
        "real request",
        "launch_slot_",
    ),
    "a wrong model": (
        {"source": f"{PLACE}/odd.gguf"},
        "it exited",
        "unknown model architecture: 'llema'",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_version_that_does_not_work_is_replaced_by_the_one_that_did(
    served: tuple[Site, LabHost], what: str
) -> None:
    site, host = served
    change, reason, line = BAD[what]
    (good,) = site.placements[HOST]
    site.placements[HOST] = [{**good, **change}]
    try:
        done = site.run("apply", "-y")
        assert done.code == 1, done.said
        assert f"FAILED  {HOST}/gemma" in done.stdout
        assert reason in done.stdout
        assert line in done.stdout
        assert "The previous version was put back and serves again" in done.stdout
        assert ask.completion(host, 8106)
        assert site.plan(2).operations(HOST)[0]["action"] == "update"
    finally:
        site.placements[HOST] = [good]
    site.plan(0)


def test_a_model_of_another_kind_is_refused_and_the_one_that_serves_is_left_alone(
    served: tuple[Site, LabHost],
) -> None:
    """It would load, say that it is healthy, and fail every request."""
    site, host = served
    (good,) = site.placements[HOST]
    run = host.sh("systemctl show -P InvocationID xgen-t_served-gemma.service")
    site.placements[HOST] = [{**good, "source": engine_site.MINILM}]
    try:
        done = site.run("apply", "-y")
        assert done.code == 1, done.said
        assert f"model {engine_site.MINILM}: its architecture, bert, makes vectors" in done.said
        assert "`type: embedding`" in done.said
        assert "site.yaml:" in done.said
        assert host.sh("systemctl show -P InvocationID xgen-t_served-gemma.service") == run
        assert ask.completion(host, 8106)
    finally:
        site.placements[HOST] = [good]
    site.plan(0)


def test_a_first_version_that_does_not_work_leaves_nothing(
    served: tuple[Site, LabHost],
) -> None:
    site, host = served
    before = host.files(("/var/lib/xgen-deploy",))
    site.serve(HOST, name="second", llama={"extra_args": ["--rope-scaling", "none-such"]})
    try:
        done = site.run("apply", "-y")
    finally:
        site.placements[HOST].pop()
    assert done.code == 1, done.said
    assert 'argument "--rope-scaling": invalid value' in done.stdout
    assert host.files(("/var/lib/xgen-deploy",)) == before
    site.plan(0)


MOMENTS: tuple[tuple[signal.Signals, str, Fields], ...] = (
    (signal.SIGKILL, "start", {"n_ctx": 512}),
    (signal.SIGINT, "progress", {"n_ctx": 640}),
    (signal.SIGKILL, "progress", {"n_ctx": 768}),
    (signal.SIGTERM, "gate", {"n_ctx": 896}),
    (signal.SIGKILL, "plan", {"n_ctx": 1024}),
)


@pytest.mark.parametrize("runtime", ["docker", "systemd"])
def test_an_interrupted_apply_is_finished_by_the_next(
    host: LabHost, tmp_path: Path, runtime: str
) -> None:
    models = {"gemma": engine_site.tiny()}
    site = Site(tmp_path, f"t_stop_{runtime}", runtime, ports="8108-8109", models=models)
    before = host.files(OTHERS)
    try:
        for number, (how, moment, fields) in enumerate(MOMENTS):
            site.placements.clear()
            site.serve(HOST, **fields)
            _interrupt(site, how, moment)
            if number:
                _wait_until_it_serves(host)
            assert site.plan(2).operations(HOST)
            site.apply("--lock-wait", "60")
            assert site.plan(0).operations(HOST) == []
    finally:
        assert site.run("destroy", "-y").code == 0
    assert sorted(host.files(OTHERS) ^ before) == []
    assert site.project not in host.sh("systemctl list-units --all --full --plain; docker ps -a")


def _interrupt(site: Site, how: signal.Signals, moment: str) -> None:
    """Signals the tool when its first event of that kind is seen; it must end soon after."""
    process = site.start("apply", "-y", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["kind"] == moment:
            process.send_signal(how)
            break
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == (-how if how == signal.SIGKILL else 130), rest
    assert "Traceback" not in rest
    if how != signal.SIGKILL:
        assert "the next apply finishes what this one began" in rest
        assert "interrupted. The previous version was put back and serves again" in rest


def _wait_until_it_serves(host: LabHost) -> None:
    """The host puts the previous version back by itself."""
    host.sh("until curl -sf http://127.0.0.1:8108/health; do sleep 0.2; done")
