"""xgen-deploy as a user would call it, and the endpoint that it reports."""

import json
import subprocess
import sys
from pathlib import Path

from demo.problem import DemoError

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = "manifests/quickstart.yaml"
_TOOL = ".venv/bin/xgen-deploy"


def command(verb: str, *options: str) -> str:
    """The line to type in the checkout's root."""
    return " ".join((_TOOL, verb, MANIFEST, *options))


def call(verb: str, *options: str) -> None:
    """Runs it, its output shown as it comes. Raises DemoError when it fails."""
    print(f"$ {command(verb, *options)}", flush=True)
    done = subprocess.run(_argv(verb, *options), cwd=ROOT, check=False)
    if done.returncode != 0:
        raise DemoError(f"That ended with exit code {done.returncode}; it says why above.")


def endpoint() -> str:
    """Where the demo's model answers, such as http://127.0.0.1:8001/v1. Raises DemoError."""
    done = subprocess.run(
        _argv("status", "--json"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    try:
        (model,) = json.loads(done.stdout)["models"]
    except (ValueError, KeyError) as error:
        raise DemoError(f"`{command('status')}` did not say what runs:\n{done.stderr}") from error
    if model["status"] != "running":
        raise DemoError(f"The model is {model['status']}: {model['reason']}")
    return str(model["endpoint"])


def _argv(verb: str, *options: str) -> list[str]:
    return [str(Path(sys.executable).with_name("xgen-deploy")), verb, MANIFEST, *options]
