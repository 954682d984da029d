"""Where the lab keeps its things, and the few names that all its parts share."""

from __future__ import annotations

import os
from pathlib import Path

BRIDGE = "xgenlab0"
NETWORK = "10.213.77"
GATEWAY = f"{NETWORK}.1"

USERS = ("deploy", "askpass", "banner")
ASKPASS_PASSWORD = "lab-password"  # noqa: S105  # of a login that lives for a test run

ENGINE_DIR = "/opt/llama"
ENGINE = f"{ENGINE_DIR}/llama-server"
MODEL_DIR = "/srv/models"
MODEL = f"{MODEL_DIR}/gemma-3-270m-q4_k_m.gguf"
IMAGE = "xgen-lab/llama-server:1"
IMAGE_DIR = "/srv/images"


def cache_dir() -> Path:
    """What is slow to make and the same for every lab: kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME", "/var/cache")) / "xgen-deploy-lab"


def run_dir() -> Path:
    """What belongs to the running lab: gone after `down`."""
    return Path(os.environ.get("XGEN_LAB_DIR", "/var/lib/xgen-deploy-lab"))


def host_dir(name: str) -> Path:
    return run_dir() / "hosts" / name


def ssh_dir() -> Path:
    return run_dir() / "ssh"
