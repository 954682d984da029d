"""Who is measured: the floor, `plan`, and what people use instead, each as good as it can be."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.stage import INSTANCE, Stage

HERE = Path(__file__).parent
PEERS = ("ansible-core>=2.17", "pyinfra>=3")


@dataclass(frozen=True)
class Contender:
    """`proof` matches the output of a run that found nothing to do. `keeps` connections open for
    its next run, which then begins warm."""

    name: str
    argv: tuple[str, ...]
    proof: str
    env: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False


def install_peers(folder: Path) -> Path:
    """Ansible and pyinfra in a virtual environment of their own; its `bin`."""
    programs = folder / "bin"
    if not all((programs / name).exists() for name in ("ansible-playbook", "pyinfra")):
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(programs / "pip"), "install", "-q", *PEERS], check=True)
    return programs


def contenders(stage: Stage, names: list[str], programs: Path) -> list[Contender]:
    """In the order of the table."""
    floor = (sys.executable, str(HERE / "floor.py"), str(stage.ssh_config), *names)
    ours = ("plan", str(stage.manifest(names)), "--ssh-config", str(stage.ssh_config))
    return [
        Contender("floor: bare Fabric", floor, "", stage.compiled),
        Contender("xgen-deploy plan", (stage.program, *ours), "nothing to do", stage.compiled),
        _pyinfra(stage, names, programs),
        _ansible(stage, names, programs, keeps=False),
        _ansible(stage, names, programs, keeps=True),
    ]


def _pyinfra(stage: Stage, names: list[str], programs: Path) -> Contender:
    how = {
        "ssh_config_file": str(stage.ssh_config),
        "ssh_known_hosts_file": str(stage.known_hosts),
        "ssh_strict_host_key_checking": "yes",
    }
    inventory = stage.write("inventory.py", f"hosts = ({names!r}, {how!r})\n")
    argv = (str(programs / "pyinfra"), "--dry", "--parallel", str(len(names)))
    return Contender(
        "pyinfra",
        (*argv, str(inventory), str(HERE / "pyinfra_check.py")),
        r"systemd\.service .*\s-\s+-\s+docker\.container .*\s-\s+-\s",
        {"BENCH_INSTANCE": INSTANCE},
    )


def _ansible(stage: Stage, names: list[str], programs: Path, *, keeps: bool) -> Contender:
    hosts = "".join(f"    {name}:\n" for name in names)
    inventory = stage.write("inventory.yml", f"all:\n  hosts:\n{hosts}")
    variables = ("-e", f"instance={INSTANCE}", "-e", "ansible_python_interpreter=/usr/bin/python3")
    sockets = stage.folder / ("kept" if keeps else "fresh")
    return Contender(
        "Ansible, connections kept" if keeps else "Ansible",
        (
            str(programs / "ansible-playbook"),
            "--check",
            "-i",
            str(inventory),
            *variables,
            str(HERE / "playbook.yml"),
        ),
        "changed=0",
        {
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_FORKS": str(len(names)),
            "ANSIBLE_SSH_ARGS": f"-F {stage.ssh_config} -o ControlMaster=auto"
            " -o ControlPersist=10m",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        },
        keeps,
    )
