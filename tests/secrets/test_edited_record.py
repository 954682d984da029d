"""A record is taken only as it was written: its digests are those of its specs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plan.world import World
from tests.secrets.test_gateway_secrets import KEY, spec
from xgen_deploy.errors import XgenError
from xgen_deploy.state.gateway import GatewayRecord
from xgen_deploy.state.record import read_record

MODEL = {
    "source": "/m/Qwen3-8B-Q4_K_M.gguf",
    "api_key": {"env": "KEY"},
    "env": {"T": {"file": "/t"}, "OMP_NUM_THREADS": "8"},
    "sampling": {"temperature": 1, "top_p": 0.9},
    "llama": {"parallel": 4},
    "container": {"args": ["--init"], "mounts": ["/d:/d:ro"]},
}
COMMAND = {"command": "sh -c 'id >/tmp/x; echo key'"}
CASE = {"host": "cpu", "models": {"q": MODEL}, "place": [{"model": "q", "gpus": []}]}
CHANGES: list[tuple[str, Any]] = [
    ("api_key", COMMAND),
    ("env", {"T": COMMAND}),
    ("model_path", "/etc/shadow"),
    ("port", 22),
    ("container", {"args": ["--privileged"]}),
    ("listen", "0.0.0.0"),
]


def record(folder: Path) -> dict[str, Any]:
    world = World(CASE, folder)
    world.apply()
    gateway_spec = spec(KEY)
    gateway = GatewayRecord(spec=gateway_spec, digest=gateway_spec.digest)
    whole = world.record.model_copy(update={"gateway": gateway})
    found: dict[str, Any] = json.loads(whole.model_dump_json(exclude_none=True))
    return found


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    read = read_record(json.dumps(record(tmp_path)), "p", "h")
    assert read.instances.keys() == {"q"}


@pytest.mark.parametrize(("field", "value"), CHANGES)
def test_an_edited_instance_is_refused(field: str, value: object, tmp_path: Path) -> None:
    found = record(tmp_path)
    found["instances"]["q"]["spec"][field] = value
    with pytest.raises(XgenError, match=r"^h: the record of project p was edited: .* of q is not"):
        read_record(json.dumps(found), "p", "h")


def test_an_edited_gateway_is_refused(tmp_path: Path) -> None:
    found = record(tmp_path)
    found["gateway"]["spec"]["routes"][0]["api_key"] = COMMAND
    with pytest.raises(XgenError, match=r"edited: .* of gateway is not"):
        read_record(json.dumps(found), "p", "h")
