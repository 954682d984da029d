"""What is told of two samples, and of the last hour."""

import pytest

from xgen_deploy.live.feed import interval_for
from xgen_deploy.live.last_hour import LastHour
from xgen_deploy.live.sample import HostSample, LoadSample, read_sample
from xgen_deploy.live.values import Rates, host_values


def sample(clock: float, generated: float | None) -> HostSample:
    load = LoadSample(generated=generated, waiting=3)
    return HostSample(at=1000 + clock, clock=clock, loads={"m": load})


@pytest.mark.parametrize(
    ("before", "now", "rate"),
    [
        (None, sample(10, 50), None),
        (sample(5, 0), sample(10, 50), 10.0),
        (sample(5, 50), sample(10, 50), 0.0),
        (sample(5, 50), sample(10, 20), None),  # restarted
        (sample(5, None), sample(10, 20), None),
        (sample(10, 1), sample(10, 20), None),
    ],
)
def test_a_rate(before: HostSample | None, now: HostSample, rate: float | None) -> None:
    rates = host_values(now, before, 0).instances["m"]
    assert rates == Rates(
        tokens_per_second=rate, prompt_tokens_per_second=None, running=None, waiting=3
    )


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"{}",
        b'{"at": 1, "clock": NaN}',
        b'{"at": 1, "clock": 1, "gpus": [{"index": 0, "memory_used_mb": -5}]}',
        b'{"at": 1, "clock": 1, "gpus": [{"index": 0, "temperature_celsius": "hot"}]}',
        b'{"at": 1, "clock": 1, "command": "rm"}',
        b'{"at": 1, "clock": 1, "loads": {"m": {"generated": 1e400}}}',
    ],
)
def test_what_is_no_sample_ends_the_reporter(line: bytes) -> None:
    with pytest.raises(ConnectionError, match="something else"):
        read_sample(line)


def test_the_last_hour_has_a_point_each_15_seconds_and_forgets_older_ones() -> None:
    hour = LastHour()
    for second in range(0, 2 * 3600, 5):
        name = "first" if second < 3000 else "second"
        now = HostSample(at=0, clock=0, loads={name: LoadSample(waiting=second)})
        hour.add(host_values(now, None, float(second)))
    curves = hour.curves()
    assert len(curves.at) == 240
    assert curves.at[-1] - curves.at[0] == 239 * 15
    assert set(curves.values) == {"instance/second/waiting"}
    assert curves.values["instance/second/waiting"][-1] == curves.at[-1]


def test_a_new_instance_has_no_values_of_before() -> None:
    hour = LastHour()
    hour.add(host_values(HostSample(at=0, clock=0), None, 0.0))
    later = HostSample(at=0, clock=0, loads={"m": LoadSample(running=1)})
    hour.add(host_values(later, None, 20.0))
    assert hour.curves().values == {"instance/m/running": (None, 1.0)}


def test_many_hosts_are_asked_less_often() -> None:
    assert [interval_for(n) for n in (1, 20, 40, 100)] == [5, 5, 10, 25]
