"""Run the whole probe as a host would: a Python, the stub, and everything on its input."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from xgen_deploy.probe.observe import read_document
from xgen_deploy.probe.program import probe_program
from xgen_deploy.state.facts import HostFacts, ProbeRequest
from xgen_deploy.transport.framing import STUB, decode, encode


def request(folder: Path, **more: object) -> ProbeRequest:
    places = {"state_dir": str(folder / "state"), "etc_dir": str(folder / "etc")}
    return ProbeRequest.model_validate({"project": "demo", **places, **more})


def probe(
    asked: ProbeRequest, env: Mapping[str, str] | None = None, python: str = sys.executable
) -> HostFacts:
    done = subprocess.run(
        [python, "-I", "-S", "-c", STUB],
        input=encode(probe_program(), asked.model_dump_json().encode()),
        capture_output=True,
        env=env,
        timeout=60,
        check=True,
    )
    return read_document("here", decode(done.stdout))
