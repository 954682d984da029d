"""Where the lab keeps its things, and the few names that all its parts share."""

from __future__ import annotations

import os
from pathlib import Path

NUMBER_VARIABLE = "XGEN_LAB"

USERS = ("deploy", "askpass", "banner")
ASKPASS_PASSWORD = "lab-password"  # noqa: S105  # of a login that lives for a test run

ENGINE_DIR = "/opt/llama"
ENGINE = f"{ENGINE_DIR}/llama-server"
MODEL_DIR = "/srv/models"
MODEL = f"{MODEL_DIR}/gemma-3-270m-q4_k_m.gguf"
IMAGE = "xgen-lab/llama-server:1"
IMAGE_DIR = "/srv/images"
# One folder of this machine, seen by all hosts of a lab.
SHARED = "/srv/shared"


def cache_dir() -> Path:
    """What is slow to make and the same for every lab: kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME", "/var/cache")) / "xgen-deploy-lab"


def number() -> int:
    """Which of this machine's labs is meant: 0 is the one to play with."""
    return int(os.environ.get(NUMBER_VARIABLE, "0"))


def bridge() -> str:
    return f"xgenlab{number()}"


def network() -> str:
    return f"10.213.{77 + number()}"


def run_dir() -> Path:
    """What belongs to the running lab: gone after `down`."""
    first = _first_run_dir()
    return first.with_name(f"{first.name}-{number()}") if number() else first


def shared_dir() -> Path:
    """XGEN_LAB_SHARED names a folder on another kind of file system, such as NFS."""
    own = os.environ.get("XGEN_LAB_SHARED")
    return Path(own, f"xgen-lab-{number()}") if own else run_dir() / "shared"


def numbers() -> list[int]:
    """The labs that have something on disk."""
    first = _first_run_dir()
    others = [path.name.rpartition("-")[2] for path in first.parent.glob(f"{first.name}-*")]
    return [0] * first.exists() + sorted(int(n) for n in others if n.isdigit())


def _first_run_dir() -> Path:
    return Path(os.environ.get("XGEN_LAB_DIR", "/var/lib/xgen-deploy-lab"))


def lock(name: str) -> Path:
    return cache_dir() / "locks" / f"{number()}-{name}"


def host_dir(name: str) -> Path:
    return run_dir() / "hosts" / name


def ssh_dir() -> Path:
    return run_dir() / "ssh"
