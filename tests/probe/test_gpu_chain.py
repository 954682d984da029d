import threading
import time
from collections.abc import Callable

import pytest

from xgen_deploy.probe.remote import gpu_chain
from xgen_deploy.probe.remote.gpu_chain import detect
from xgen_deploy.probe.remote.gpu_detectors import DETECTORS, Detector
from xgen_deploy.probe.remote.gpu_found import Found, NotHere
from xgen_deploy.state.gpu import GPUDetectionResult

Try = Callable[[], Found]


def finds(*addresses: str, kind: str = "nvidia", lost: tuple[str, ...] = ()) -> Try:
    gpus = [
        {"index": index, "gpu_type": kind, "pci_bus_id": address}
        for index, address in enumerate(addresses)
    ]
    return lambda: Found(gpus, [(which, "GPU is lost") for which in lost])


def fails(error: BaseException) -> Try:
    def detect() -> Found:
        raise error

    return detect


def run(*tries: tuple[str, str, Try]) -> GPUDetectionResult:
    chain = [Detector(name, vendor, 9, attempt) for name, vendor, attempt in tries]
    return GPUDetectionResult.model_validate(detect(0, 20, chain))


def test_one_that_has_nothing_to_ask_is_not_asked() -> None:
    never = Detector("torch.cuda", "nvidia", 9, fails(AssertionError()), lambda _: "no such card")
    (attempt, _) = GPUDetectionResult.model_validate(detect(0, 20, [never])).attempts
    assert (attempt.reason, attempt.expected_absent) == ("no such card", True)


def test_the_order_is_the_documented_one() -> None:
    assert [detector.name for detector in DETECTORS] == [
        "amdsmi",
        "pynvml",
        "torch.rocm",
        "torch.cuda",
        "amd-smi",
        "rocm-smi",
        "nvidia-smi",
        "sysfs",
        "sysfs",
        "vulkan",
    ]


def test_the_first_that_answers_ends_a_vendor() -> None:
    result = run(
        ("pynvml", "nvidia", fails(NotHere("no driver"))),
        ("nvidia-smi", "nvidia", finds("0000:e1:00.0")),
        ("never", "nvidia", fails(AssertionError())),
    )
    assert result.detection_method == "nvidia-smi"
    assert [(a.detector, a.ok, a.reason) for a in result.attempts] == [
        ("pynvml", False, "no driver"),
        ("nvidia-smi", True, None),
    ]


def test_one_that_finds_nothing_is_followed_by_the_next() -> None:
    result = run(("pynvml", "nvidia", finds()), ("nvidia-smi", "nvidia", finds("0000:e1:00.0")))
    assert result.detection_method == "nvidia-smi"
    assert result.attempts[0].reason == "answers, and knows of no GPU"


def test_vendors_are_counted_through_in_bus_order() -> None:
    result = run(
        ("pynvml", "nvidia", finds("0000:e1:00.0", "0000:e3:00.0")),
        ("sysfs", "amd", finds("0000:e2:00.0", kind="unknown")),
    )
    assert result.detection_method == "pynvml+sysfs"
    assert [(gpu.index, gpu.pci_bus_id) for gpu in result.gpus] == [
        (0, "0000:e1:00.0"),
        (1, "0000:e2:00.0"),
        (2, "0000:e3:00.0"),
    ]


def test_a_card_that_was_found_is_not_found_again() -> None:
    others: list[dict[str, object]] = [
        {"index": 0, "gpu_type": "unknown", "device_name": name} for name in ("L4", "Arc A770")
    ]
    result = run(
        ("pynvml", "nvidia", finds("0000:e1:00.0")),
        ("vulkan", "other", lambda: Found(others, [], ("nvidia", "other"))),
    )
    assert [gpu.device_name for gpu in result.gpus] == [None, "Arc A770"]


def test_a_lost_card_is_told_and_the_rest_serve() -> None:
    result = run(("pynvml", "nvidia", finds("0000:e1:00.0", lost=("GPU 1",))))
    assert len(result.gpus) == 1
    assert ("pynvml:GPU 1", "GPU is lost") in [(a.detector, a.reason) for a in result.attempts]


def test_whatever_a_library_raises_the_cpu_remains() -> None:
    result = run(
        ("a", "amd", fails(KeyError("libamd_smi.so"))), ("b", "nvidia", fails(SystemExit(1)))
    )
    assert result.detection_method == "cpu_fallback"
    assert not result.available
    assert [a.detector for a in result.attempts] == ["a", "b", "cpu_fallback"]
    assert "libamd_smi.so" in (result.attempts[0].reason or "")


@pytest.mark.parametrize(("present", "expected_absent"), [(False, True), (True, False)])
def test_an_absent_tool_matters_where_the_card_is_there(
    monkeypatch: pytest.MonkeyPatch, present: bool, expected_absent: bool
) -> None:
    monkeypatch.setattr(gpu_chain, "expected", lambda _: present)
    result = run(
        ("absent", "amd", fails(NotHere("not installed"))), ("broken", "amd", fails(OSError("x")))
    )
    assert [attempt.expected_absent for attempt in result.attempts] == [
        expected_absent,
        False,
        False,
    ]


def test_one_that_hangs_is_left_behind() -> None:
    never = threading.Event()
    chain = [
        Detector("hangs", "nvidia", 0.05, lambda: Found([], [("GPU 0", str(never.wait()))])),
        Detector("works", "nvidia", 9, finds("0000:e1:00.0")),
    ]
    result = GPUDetectionResult.model_validate(detect(0, 20, chain))
    never.set()
    assert result.detection_method == "works"
    assert (result.attempts[0].reason or "").startswith("no answer within")


def test_many_that_hang_are_bounded_together() -> None:
    given: list[float] = []

    def patient(detect: Try, patience: float) -> gpu_chain.Outcome:
        clock[0] += patience
        given.append(patience)
        return gpu_chain.Outcome(None, "no answer", False)

    clock = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_chain, "_patiently", patient)
        patch.setattr(time, "monotonic", lambda: clock[0])
        detect(0, 20, [detector._replace(absent=lambda _: None) for detector in DETECTORS])
    assert len(given) == len(DETECTORS)
    assert sum(given) <= 20
