"""The lab is what it says: real hosts, a real engine, a real model."""

from __future__ import annotations

import pytest

from tests.lab import places
from tests.lab.conftest import Lab
from tests.lab.process import LabError, run


@pytest.mark.parametrize("name", ["lab-a", "lab-b"])
def test_a_host_runs_systemd(lab: Lab, name: str) -> None:
    host = lab.host(name)
    assert host.sh("hostname") == name
    assert host.run(["systemctl", "is-system-running"], check=False).stdout.strip() == "running"


def test_deploy_logs_in_and_is_root_by_sudo(lab: Lab) -> None:
    done = lab.host("lab-a").ssh("whoami; sudo -n whoami")
    assert done.stdout.split() == ["deploy", "root"]
    assert done.stderr == ""


def test_root_cannot_log_in(lab: Lab) -> None:
    assert lab.host("lab-a").ssh("true", user="root", check=False).returncode == 255


def test_askpass_needs_its_password_for_sudo(lab: Lab) -> None:
    host = lab.host("lab-a")
    assert host.ssh("sudo -n true", user="askpass", check=False).returncode == 1
    script = f"echo {places.ASKPASS_PASSWORD} | sudo -S -k -p '' whoami"
    assert host.ssh(script, user="askpass").stdout.strip() == "root"


def test_banner_prints_noise_before_what_was_asked(lab: Lab) -> None:
    assert lab.host("lab-a").ssh("echo asked", user="banner").stdout.splitlines() == [
        "*** Authorized use only. ***",
        "asked",
    ]


def test_docker_runs_the_engine_image(lab: Lab) -> None:
    done = lab.host("lab-a").run(["docker", "run", "--rm", places.IMAGE, "--version"])
    assert "version:" in done.stdout + done.stderr


def test_the_image_is_the_same_on_every_host(lab: Lab) -> None:
    ask = f"docker image inspect --format '{{{{.Id}}}}' {places.IMAGE}"
    assert lab.host("lab-a").sh(ask) == lab.host("lab-b").sh(ask)


def test_the_engine_sees_a_software_gpu(lab: Lab) -> None:
    script = f"GGML_VK_VISIBLE_DEVICES=0 {places.ENGINE} --list-devices 2>&1"
    assert "Vulkan0" in lab.host("lab-a").sh(script)


def test_the_model_is_there_and_cannot_be_written(lab: Lab) -> None:
    host = lab.host("lab-a")
    assert int(host.sh(f"stat -c %s {places.MODEL}")) > 200_000_000
    with pytest.raises(LabError, match="Read-only"):
        host.sh(f"touch {places.MODEL_DIR}/other.gguf")


def test_hosts_reach_each_other(lab: Lab) -> None:
    other = lab.host("lab-b").address
    found = lab.host("lab-a").sh(f"bash -c 'head -c 4 < /dev/tcp/{other}/22'")
    assert found == "SSH-"


def test_hosts_do_not_reach_anything_else(lab: Lab) -> None:
    assert lab.host("lab-a").sh("ip route show default") == ""


def test_what_was_added_shows_in_the_file_list(lab: Lab) -> None:
    host = lab.host("lab-a")
    before = host.files()
    host.sh("echo hello > /opt/added")
    try:
        (added,) = host.files() - before
        assert (added.path, added.kind, added.size) == ("/opt/added", "file", 6)
    finally:
        host.sh("rm /opt/added")
    assert host.files() == before


def test_testinfra_sees_a_host(lab: Lab) -> None:
    assert lab.testinfra("lab-a", sudo=True).service("docker").is_running
    assert lab.testinfra("lab-b").user().name == "deploy"


def test_an_unplugged_host_is_silent(lab: Lab) -> None:
    host = lab.host("lab-b")
    host.unplug()
    try:
        asked = f"timeout 1 bash -c ': </dev/tcp/{host.address}/22' || echo silent"
        assert lab.host("lab-a").sh(asked) == "silent"
    finally:
        host.plug()
    assert host.ssh("true").returncode == 0


def test_a_rebooted_host_comes_back(lab: Lab) -> None:
    host = lab.host("lab-b")
    boot_id = "cat /proc/sys/kernel/random/boot_id"
    before = host.sh(boot_id)
    host.reboot()
    assert host.sh(boot_id) != before
    assert host.ssh("sudo docker image ls -q").stdout.strip()


def test_a_swapped_host_key_is_refused(lab: Lab) -> None:
    host = lab.host("lab-b")
    host.swap_host_key()
    try:
        done = host.ssh("true", check=False)
        assert done.returncode == 255
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr
    finally:
        host.restore_host_key()
    assert host.ssh("true").returncode == 0


def test_a_small_disk_gets_full(lab: Lab) -> None:
    host = lab.host("lab-a")
    with host.small_disk("/opt/small"), pytest.raises(LabError, match="No space left"):
        host.sh("head -c 2M /dev/zero > /opt/small/file")
    host.sh("rmdir /opt/small")


def test_a_bare_host_has_no_docker(lab: Lab) -> None:
    host = lab.host("lab-bare")
    assert host.ssh("command -v docker dockerd containerd", check=False).stdout == ""
    assert host.ssh("sudo -n whoami").stdout.strip() == "root"


def test_a_host_without_python_still_lets_one_in(lab: Lab) -> None:
    host = lab.host("lab-nopython")
    assert host.ssh("ls /usr/bin/python3*", check=False).stdout == ""
    assert host.ssh("sudo -n docker version --format '{{.Server.Os}}'").stdout.strip() == "linux"


def test_a_minimal_host_has_a_python_that_lacks_shutil(lab: Lab) -> None:
    host = lab.host("lab-minimal")
    assert host.ssh("/usr/bin/python3 -c 'print(1)'").stdout.strip() == "1"
    assert "shutil" in host.ssh("/usr/bin/python3 -c 'import shutil'", check=False).stderr


def test_one_host_plays_a_fleet(lab: Lab) -> None:
    host = lab.host("lab-fleet")
    asked = ["ssh", "-F", str(lab.ssh_config), f"{host.name}-50", "hostname"]
    assert run(asked).stdout.strip() == "lab-fleet"
    assert len(host.spec.all_addresses) == 50
