"""Lines as vLLM 0.32 prints them; the GPU's ones differ in the device alone."""

import pytest

from xgen_deploy.backends.vllm_log import read_report
from xgen_deploy.state.load_report import LoadReport


def _start(device: str, tensor: int, pipeline: int, context: int) -> str:
    return (
        "(EngineCore pid=7) INFO 11-21 05:04:58 [core.py:133] Initializing a V1 LLM engine "
        "(v0.32.0) with config: model='/m/tensor_parallel_size=9', speculative_config=None, "
        f"dtype=torch.float32, max_seq_len={context}, download_dir=None, load_format=auto, "
        f"tensor_parallel_size={tensor}, pipeline_parallel_size={pipeline}, "
        f"data_parallel_size=1, quantization=None, enforce_eager=True, device_config={device}, "
        "seed=0\n"
    )


LOADED = (
    "(Worker_TP0 pid=9) INFO 11-21 05:05:03 [gpu_model_runner.py:5150] Model loading took "
    "{gib} GiB memory and 2.480000 seconds\n"
)
KV = (
    "(EngineCore pid=7) INFO 11-21 05:05:09 [kv_cache_utils.py:2327] {where} KV cache size: "
    "524,288 tokens, Maximum concurrency for 1,024 tokens per request: 512.00x\n"
)


def _read(log: str) -> LoadReport:
    report = read_report(log)
    assert report is not None
    return report


def test_the_cpu_is_no_device() -> None:
    report = _read(_start("cpu", 1, 1, 1024) + KV.format(where="CPU"))
    assert report.devices == ()
    assert report.context == 1024
    assert (report.kv_cache_tokens, report.max_concurrency) == (524288, 512.0)
    assert report.offloaded is None


@pytest.mark.parametrize(("tensor", "pipeline"), [(1, 1), (4, 1), (2, 2)])
def test_every_worker_is_a_device(tensor: int, pipeline: int) -> None:
    text = _start("cuda", tensor, pipeline, 8192) + LOADED.format(gib="14.99")
    report = _read(text)
    assert [d.name for d in report.devices] == [f"cuda:{i}" for i in range(tensor * pipeline)]
    assert report.devices[0].model_mib == pytest.approx(15349.76)


def test_the_last_start_counts() -> None:
    before = _start("cuda", 4, 1, 8192) + LOADED.format(gib="30.0") + KV.format(where="GPU")
    report = _read(before + _start("cuda", 1, 1, 4096))
    assert len(report.devices) == 1
    assert (report.context, report.kv_cache_tokens) == (4096, None)


def test_a_log_without_a_start_says_nothing() -> None:
    assert read_report("ValidationError: 1 validation error for ModelConfig\n") is None
