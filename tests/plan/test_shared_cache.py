"""How much more memory an instance takes whose slots shared one context."""

import pytest

from xgen_deploy.frozen import replace
from xgen_deploy.plan.shared_cache import shared_cache_notes
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.load_report import DeviceReport, LoadReport
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.state.settings import LlamaSettings

SHARING = Spec(
    model="m",
    backend="llama-server-cuda",
    runtime="docker",
    source="/m",
    model_path="/m",
    n_ctx=1024,
    port=8001,
)
REPORT = LoadReport(
    devices=(DeviceReport(name="CUDA0", kv_mib=30.0), DeviceReport(name="CUDA1", kv_mib=20.0))
)


@pytest.mark.parametrize(
    ("llama", "n_ctx", "said"),
    [
        ({"parallel": 4}, 1024, "4 slots x 1024, 4 times as large, up to 150 MiB more"),
        ({"parallel": 4}, 1536, "4 slots x 1536, 6 times as large, up to 250 MiB more"),
        ({"parallel": 1}, 1024, "1 slot x 1024, as large as before"),
        ({"parallel": 1}, 512, "1 slot x 512, 0.5 times as large"),
        ({"parallel": 4, "cache_type_k": "q8_0"}, 1024, "4 slots x 1024, 4 times as large"),
    ],
)
def test_it_is_said_by_what_the_engine_reported(
    llama: dict[str, object], n_ctx: int, said: str
) -> None:
    last = InstanceRecord(spec=SHARING, digest=SHARING.digest, report=REPORT)
    after = replace(SHARING, n_ctx=n_ctx, llama=LlamaSettings.model_validate(llama))
    assert shared_cache_notes(last, after) == (f"its cache: 1024 shared by 4 slots -> {said}",)


def test_nothing_is_said_where_each_had_its_own() -> None:
    spec = replace(SHARING, llama=LlamaSettings(parallel=2))
    last = InstanceRecord(spec=spec, digest=spec.digest, report=REPORT)
    assert shared_cache_notes(last, replace(spec, n_ctx=4096)) == ()
