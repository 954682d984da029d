from collections.abc import Callable

from xgen_deploy.hardware.gpu import GPUDetectionResult
from xgen_deploy.probe.remote.gpu_chain import Detector, detect
from xgen_deploy.probe.remote.gpu_found import Found, NotHere


def finds(*addresses: str, kind: str = "nvidia", lost: tuple[str, ...] = ()) -> Callable[[], Found]:
    gpus = [
        {"index": index, "gpu_type": kind, "pci_bus_id": address}
        for index, address in enumerate(addresses)
    ]
    return lambda: Found(gpus, [(which, "GPU is lost") for which in lost])


def fails(error: BaseException) -> Callable[[], Found]:
    def detect() -> Found:
        raise error

    return detect


def run(*chains: tuple[Detector, ...]) -> GPUDetectionResult:
    return GPUDetectionResult.model_validate(detect(0, chains))


def test_the_first_that_answers_ends_a_vendor() -> None:
    chain = (
        Detector("pynvml", fails(NotHere("no driver"))),
        Detector("nvidia-smi", finds("0000:01:00.0")),
        Detector("never", fails(AssertionError())),
    )
    result = run(chain)
    assert result.detection_method == "nvidia-smi"
    assert [(a.detector, a.ok, a.reason) for a in result.attempts] == [
        ("pynvml", False, "no driver"),
        ("nvidia-smi", True, None),
    ]


def test_vendors_are_counted_through_in_bus_order() -> None:
    result = run(
        (Detector("pynvml", finds("0000:41:00.0", "0000:c1:00.0")),),
        (Detector("sysfs", finds("0000:81:00.0", kind="amd_rdna")),),
    )
    assert result.detection_method == "pynvml+sysfs"
    assert [(gpu.index, gpu.gpu_type) for gpu in result.gpus] == [
        (0, "nvidia"),
        (1, "amd_rdna"),
        (2, "nvidia"),
    ]


def test_a_lost_card_is_told_and_the_rest_serve() -> None:
    result = run((Detector("pynvml", finds("0000:41:00.0", lost=("GPU 1",))),))
    assert len(result.gpus) == 1
    assert ("pynvml:GPU 1", "GPU is lost") in [(a.detector, a.reason) for a in result.attempts]


def test_whatever_a_library_raises_the_cpu_remains() -> None:
    chain = tuple(
        Detector(name, fails(error))
        for name, error in (("a", KeyError("libamd_smi.so")), ("b", SystemExit(1)))
    )
    result = run(chain)
    assert result.detection_method == "cpu_fallback"
    assert not result.available
    assert [a.detector for a in result.attempts] == ["a", "b", "cpu_fallback"]
    assert "libamd_smi.so" in (result.attempts[0].reason or "")
