"""How units behave when what they run ends: what is told, and what comes back by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, alone

HOST = "lab-spare"
PLACE = "/srv/units"
ODD = """it's "100%" $HOME %n, ; & | é [x]* \\n # -x"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        found.sh(f"mkdir -p {PLACE}")
        yield found
        found.sh(f"rm -r {PLACE}")


def _stand_in(host: LabHost, name: str, script: str) -> str:
    """An engine that says what the real one can do, and then does something else."""
    path = f"{PLACE}/{name}"
    text = f"#!/bin/sh\ncase $* in *--help*) exec {places.ENGINE} --help;; esac\n{script}\n"
    host.run(["sh", "-c", 'cat > "$1"; chmod 755 "$1"', "sh", path], stdin=text)
    return path


def test_what_an_engine_printed_before_it_died_at_once_is_in_every_report(
    host: LabHost, tmp_path: Path
) -> None:
    site = Site(tmp_path, "tu_words", ports="8161-8170")
    engine = _stand_in(host, "dies", 'echo "dying words of $4"; kill -ILL $$')
    names = [f"m{n}" for n in range(10)]
    for name in names:
        site.models[name] = engine_site.tiny(binary=engine)
        site.serve(HOST, name)
    try:
        done = site.run("apply", "-y")
        assert done.code == 1, done.said
        for name in names:
            said = done.stdout[done.stdout.index(f"FAILED  {HOST}/{name} ") :]
            told, log, *_ = said.splitlines()
            assert "it exited: killed by SIGILL (illegal instruction): this build needs" in told
            assert log.strip() == f"dying words of {name}"
    finally:
        assert site.run("destroy", "-y").code == 0


def _serves(host: LabHost, port: int) -> None:
    host.sh(f"until curl -sf http://127.0.0.1:{port}/health; do sleep 0.2; done")


def test_a_model_file_that_was_away_for_a_while_is_served_again_by_itself(
    host: LabHost, tmp_path: Path
) -> None:
    model, unit = f"{PLACE}/away.gguf", "xgen-tu_away-gemma.service"
    host.sh(f"cp {engine_site.TINY} {model}")
    site = Site(tmp_path, "tu_away", ports="8171")
    site.models["gemma"] = engine_site.tiny(source=model)
    site.serve(HOST)
    try:
        site.apply()
        host.sh(
            f"mv {model} {model}.away; systemctl kill --signal=KILL {unit};"
            f" until [ $(systemctl show -P NRestarts {unit}) -ge 2 ] &&"
            f" [ $(systemctl show -P SubState {unit}) = stop-post ]; do sleep 0.2; done"
        )
        row = engine_site.status(site)
        assert row["status"] == "failed", row
        reason = rf"crash loop \(\d+ restarts\): .*\({re.escape(model)} is not there\)"
        assert re.search(reason, row["reason"]), row
        host.sh(f"mv {model}.away {model}")
        _serves(host, 8171)
        assert host.sh(f"systemctl show -P StartLimitIntervalUSec {unit}") == "0"
        assert site.plan(0).operations(HOST) == []
    finally:
        assert site.run("destroy", "-y").code == 0


def test_what_ran_when_docker_was_stopped_runs_again_with_it_and_the_image_that_was_proved(
    host: LabHost, tmp_path: Path
) -> None:
    image = "xgen-lab/tu-engine:1"
    site = Site(
        tmp_path, "tu_docker", "docker", ports="8172-8173", top={"images": {"llama": image}}
    )
    for name in ("gemma", "resting"):
        site.models[name] = engine_site.tiny()
        site.serve(HOST, name)
    host.sh(f"docker tag {places.IMAGE} {image}")
    running = "docker inspect -f '{{.Image}}' xgen-tu_docker-gemma"
    try:
        site.apply()
        proved = host.sh(running)
        assert site.run("stop", "-y", "resting").code == 0
        host.sh(
            f"docker commit --change 'ENTRYPOINT [\"/bin/false\"]' xgen-tu_docker-gemma {image};"
            " systemctl restart xgen-tu_docker-gemma.service"
        )
        _serves(host, 8172)
        assert host.sh(running) == proved, "the tag names another image by now"
        for how in (
            "systemctl stop docker.socket docker.service; systemctl start docker.service",
            "systemctl restart docker.service",
        ):
            host.sh(how)
            _serves(host, 8172)
            state = "systemctl show -P ActiveState xgen-tu_docker-resting.service"
            assert host.sh(state) == "inactive"
    finally:
        assert site.run("destroy", "-y").code == 0
        host.sh(f"docker rmi --force {image}; docker image prune --force")


@pytest.mark.parametrize("runtime", ["systemd", "docker"])
def test_odd_paths_reach_the_engine_as_they_are(
    host: LabHost, tmp_path: Path, runtime: str
) -> None:
    folder = f"{PLACE}/{ODD}"
    host.run(["mkdir", "-p", folder])
    for source, name in ((engine_site.TINY, "-m.gguf"), (engine_site.TEMPLATE, "t.jinja")):
        host.run(["cp", source, f"{folder}/{name}"])
    engine = _stand_in(host, f"{ODD}/engine", f'exec {places.ENGINE} "$@"')
    site = Site(tmp_path, f"tu_odd_{runtime}", runtime, ports="8175")
    site.top["binaries"] = {"llama": engine}
    site.hosts[HOST] = {"xgen_model_dir": folder}
    site.models["gemma"] = engine_site.tiny(
        source=f"{folder}/-m.gguf", chat_template=f"{folder}/t.jinja", env={"ODD": ODD}
    )
    site.serve(HOST)
    try:
        site.apply()
        name = f"xgen-{site.project}-gemma"
        pid = {
            "systemd": f"systemctl show -P MainPID {name}.service",
            "docker": f"docker inspect -f '{{{{.State.Pid}}}}' {name}",
        }[runtime]
        words = host.sh(f"tr '\\0' '\\n' < /proc/$({pid})/cmdline").splitlines()
        assert words[words.index("--model") + 1] == f"{folder}/-m.gguf"
        values = host.sh(f"tr '\\0' '\\n' < /proc/$({pid})/environ").splitlines()
        assert f"ODD={ODD}" in values
        assert site.plan(0).operations(HOST) == []
        assert engine_site.differences(site) == []
    finally:
        assert site.run("destroy", "-y").code == 0


def _await_loading(site: Site) -> None:
    """Starts an apply, and comes back when the new version loads, the old one being gone."""
    process = site.start("apply", "-y", "--json")
    assert process.stdout is not None
    assert any(json.loads(line)["kind"] == "progress" for line in process.stdout)


def test_after_a_power_cut_in_the_middle_of_a_change_the_version_that_worked_boots(
    host: LabHost, tmp_path: Path
) -> None:
    site = Site(tmp_path, "tu_cut", ports="8174")
    site.models["gemma"] = engine_site.tiny()
    site.serve(HOST)
    unit = f"/etc/systemd/system/xgen-{site.project}-gemma.service"
    try:
        site.apply()
        worked = host.sh(f"sha256sum {unit}")
        site.models["gemma"]["n_ctx"] = 320
        _await_loading(site)
        assert host.sh(f"sha256sum {unit}") != worked
        host.power_cut()
        engine_site.place_models(host)
        _serves(host, 8174)
        assert host.sh(f"sha256sum {unit}") == worked
        assert "did not finish" in site.plan(2).causes(HOST)["gemma"]
        site.apply("--lock-wait", "60")
        assert site.plan(0).operations(HOST) == []
        assert host.sh("ls /etc/systemd/system | grep put-back || true") == ""
    finally:
        assert site.run("destroy", "-y").code == 0


def test_a_change_of_x_leaves_an_instance_that_is_named_like_its_guard_alone(
    host: LabHost, tmp_path: Path
) -> None:
    site = Site(tmp_path, "tu_names", ports="8175-8176")
    for name in ("x", "x-guard"):
        site.models[name] = engine_site.tiny()
        site.serve(HOST, name)
    run = "systemctl show -P InvocationID xgen-tu_names-x-guard.service"
    try:
        site.apply()
        before = host.sh(run)
        site.models["x"]["n_ctx"] = 320
        site.apply()
        assert host.sh(run) == before
        assert site.plan(0).operations(HOST) == []
    finally:
        assert site.run("destroy", "-y").code == 0
