"""A host or a GPU out of service: drained, stopped, remembered by the host, left alone by all that
starts instances, and back only after a proof.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UnreachableError

CARDS: list[dict[str, Any]] = [
    {
        "gpu_type": "nvidia",
        "device_name": "NVIDIA H100 80GB HBM3",
        "uuid": f"GPU-{letter * 8}",
        "pci_bus_id": f"0000:{slot}:00.0",
        "memory_total_mb": 81559,
        "compute_capability": "9.0",
        "driver_version": "580.65.06",
    }
    for letter, slot in (("a", "41"), ("b", "61"))
]


@pytest.fixture
def two_cards(make_site: MakeSite) -> FakeSite:
    """`q` on the first card of `h`, `r` on the second; applied."""
    places = {"h": [{"model": "q", "gpus": [0]}, {"model": "r", "gpus": [1]}]}
    site = make_site({"h": "h100"}, models={"q": {**MODEL}, "r": {**MODEL}}, hosts=places)
    site.hosts["h"].cards = CARDS
    site.hosts["h"].engines = {"--alias r ": Engine(card=CARDS[1]["pci_bus_id"])}
    site.apply()
    site.forget()
    return site


def active(host: FakeHost) -> set[str]:
    return {
        name
        for name in ("q", "r")
        if f"xgen-p-{name}.service" in {n for n, _ in host.systemd.running()}
    }


def swap(host: FakeHost) -> None:
    """The first card is another one now."""
    host.cards = [{**CARDS[0], "uuid": "GPU-cccccccc"}, CARDS[1]]


def test_one_card_goes_out_of_service_and_stays_so(two_cards: FakeSite) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    ran = site.run("cordon", "h:0", "-y")
    assert ran.code == 0, ran.said
    assert "- cordon  GPU 0  NVIDIA H100 80GB HBM3" in ran.said
    assert active(host) == {"r"}
    assert not host.systemd.unit("xgen-p-q.service").enabled
    (cordon,) = site.record()["cordons"]
    assert (cordon["gpu"]["index"], cordon["gpu"]["identity"]) == (0, "GPU-aaaaaaaa")
    for n_ctx in (2048, 4096):
        larger = {"n_ctx": n_ctx}
        site.change(lambda m, fields=larger: m["models"]["q"].update(fields))  # type: ignore[misc]
        assert site.pending_operations() == []
        assert "q stays stopped: GPU 0 is cordoned by " in site.apply()
        assert active(host) == {"r"}
    for command in ("start", "restart"):
        said = site.run(command, "-y").said
        assert "q is left as it is: GPU 0 is cordoned by " in said
        assert "`xgen-deploy uncordon MANIFEST h:0` ends that" in said
        assert active(host) == {"r"}


def test_it_comes_back_after_a_proof(two_cards: FakeSite) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h:0", "-y")
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    ran = site.run("uncordon", "h:0", "-y")
    assert ran.code == 0, ran.said
    assert "the same card" in ran.said
    assert "by hand" not in ran.said
    assert active(host) == {"q", "r"}
    assert sorted(p.context for p in host.running()) == [2048, 4096]
    record = site.record()
    assert "stopped" not in record["instances"]["q"]
    assert record["cordons"] == []
    assert site.pending_operations() == []


def test_the_new_card_is_shown_and_taken(two_cards: FakeSite) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h:0", "-y")
    swap(host)
    assert site.pending_operations() == []  # what waits for a card refuses nothing
    ran = site.run("uncordon", "h:0", "-y")
    assert ran.code == 0, ran.said
    assert "was  NVIDIA H100 80GB HBM3, GPU-aaaaaaaa" in ran.said
    assert "is   NVIDIA H100 80GB HBM3, GPU-cccccccc: ANOTHER CARD" in ran.said
    assert site.record()["instances"]["q"]["spec"]["gpus"] == ["GPU-cccccccc"]
    assert active(host) == {"q", "r"}
    assert site.pending_operations() == []


def test_a_card_that_does_not_pass_stays_out_of_service(two_cards: FakeSite) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h:0", "-y")
    swap(host)
    host.engines["--alias q "] = Engine(dies="after a request")
    ran = site.run("uncordon", "h:0", "-y")
    assert ran.code == 1
    assert active(host) == {"r"}
    assert "it is stopped, and GPU 0 stays out of service" in ran.said
    assert "stays out of service" in site.run("status").said
    assert len(site.record()["cordons"]) == 1
    assert site.pending_operations() == []
    host.engines.pop("--alias q ")
    assert site.run("uncordon", "h:0", "-y").code == 0
    assert active(host) == {"q", "r"}


def test_what_starts_again_was_stopped_by_the_cordon_and_is_not_to_be_asked(
    make_site: MakeSite,
) -> None:
    site = make_site({"h": "cpu"}, gateway={**GATEWAY, "host": "h"})
    site.apply()
    assert "xgen-deploy ask" not in site.run("cordon", "h", "-y").said
    ran = site.run("uncordon", "h", "-y")
    assert "the cordon stopped it" in ran.said
    assert "by hand" not in ran.said
    assert "xgen-deploy ask" in ran.said


@pytest.mark.parametrize("error", [UnreachableError("h", "lost"), KeyboardInterrupt()])
def test_what_was_not_proved_does_not_run_where_it_was_cut_short(
    error: BaseException, two_cards: FakeSite
) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h:0", "-y")

    def cut_short(argv: tuple[str, ...], _: str) -> None:
        if argv == ("systemctl", "restart", "xgen-p-q.service"):
            host.systemd.run(argv)
            raise error

    host.before = cut_short
    ran = site.run("uncordon", "h:0", "-y")
    assert ran.code in (1, 130)
    assert "serves" not in ran.said
    assert active(host) == {"r"}
    assert not host.systemd.unit("xgen-p-q.service").enabled
    host.before = lambda *_: None
    assert site.run("uncordon", "h:0", "-y").code == 0
    assert active(host) == {"q", "r"}


def test_a_whole_host_and_what_is_new_there(two_cards: FakeSite) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h", "-y")
    assert active(host) == set()
    site.change(lambda m: m["hosts"]["h"].append({"model": "q", "gpus": [1], "name": "new"}))
    assert site.pending_operations() == []
    assert "new is not created: the host is cordoned by " in site.apply()
    assert site.run("uncordon", "h", "-y").code == 0
    assert active(host) == {"q", "r"}
    assert site.pending_operations() == ["h/new create"]


@pytest.mark.parametrize(("first", "then"), [("h", "h:0"), ("h:0", "h")])
def test_of_two_cordons_the_last_one_to_end_starts_what_is_under_both(
    first: str, then: str, two_cards: FakeSite
) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", first, "-y")
    site.run("cordon", then, "-y")
    assert site.run("uncordon", "h", "-y").code == 0
    assert active(host) == {"r"}
    assert "h/q  cordoned by " in site.run("status").said
    assert site.run("uncordon", "h:0", "-y").code == 0
    assert active(host) == {"q", "r"}


def test_changes_that_wait_for_its_end_are_said(two_cards: FakeSite) -> None:
    """Of what was stopped, and of what runs there since only the other one failed its proof."""
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h", "-y")
    host.engines["--alias q "] = Engine(dies="after a request")
    assert site.run("uncordon", "h", "-y").code == 1
    assert active(host) == {"r"}
    said = site.run("plan").said
    assert "nothing is done now: q stays stopped; r is left as it is" in said
    site.change(lambda m: [m["models"][name].update(n_ctx=4096) for name in ("q", "r")])
    said = site.run("plan").said
    assert "q stays stopped, its changes wait" in said
    assert "r is left as it is, its changes wait" in said


def test_what_was_stopped_before_stays_so_after(two_cards: FakeSite) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("stop", "q", "-y")
    site.run("cordon", "h", "-y")
    site.run("uncordon", "h", "-y")
    assert active(host) == {"r"}


def test_one_with_a_time_ends_by_the_next_apply(
    two_cards: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, host = two_cards, two_cards.hosts["h"]
    site.run("cordon", "h:0", "--for", "2h", "-y")
    assert site.pending_operations() == []
    site.clock.skipped += 3 * 3600
    assert active(host) == {"r"}  # nothing starts it by itself
    record = site.record()
    record["cordons"][0]["until"] = 1.0
    host.files["/var/lib/xgen-deploy/p/record.json"] = json.dumps(record).encode()
    assert "h/q  not running; `xgen-deploy apply` starts it" in site.run("status").said
    assert site.pending_operations() == ["h/q repair"]
    site.apply()
    assert active(host) == {"q", "r"}
    assert site.record()["cordons"] == []


def test_it_is_shown(two_cards: FakeSite) -> None:
    site = two_cards
    site.run("cordon", "h:0", "--for", "2h", "-y")
    status = site.run("status")
    assert status.code == 1
    assert "h  GPU 0 is cordoned by " in status.said
    assert "h/q  cordoned by " in status.said
    document = json.loads(site.run("status", "--json").said)
    (cordon,) = document["hosts"]["h"]["cordons"]
    assert cordon["gpu"]["index"] == 0
    gpus = json.loads(site.run("gpus", "--json").said)["hosts"]["h"]["gpus"]
    assert [g["cordon"] is not None for g in gpus] == [True, False]
    assert "CORDONED by " in site.run("gpus").said
    assert "cordon" in site.run("history").said


def test_a_gateway_is_drained_and_sends_requests_again(make_site: MakeSite) -> None:
    models = {"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}}
    places: dict[str, Any] = {"a": [q()], "b": [q()]}
    site = make_site(
        {"g": "cpu", "a": "cpu", "b": "cpu"}, gateway=GATEWAY, models=models, hosts=places
    )
    site.apply()
    assert site.run("cordon", "a", "-y").code == 0
    gateway = site.hosts["g"]
    assert gateway.server_states["q/a.q"] == "drain"
    assert gateway.haproxy is not None
    assert gateway.haproxy.request(b'{"model": "q"}', "sk-client").status == 200
    assert site.run("uncordon", "a", "-y").code == 0
    assert gateway.server_states.get("q/a.q", "ready") == "ready"
    assert not gateway.systemd.guards


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cordon", "h:7", "-y"), "there is no GPU 7; it has 0 (NVIDIA H100 80GB HBM3), 1"),
        (("cordon", "nowhere", "-y"), "there is no host `nowhere` in the manifest; it has h"),
        (("cordon", "h:0", "--for", "soon", "-y"), "--for soon is no time; write 30m, 2h or 7d"),
        (("uncordon", "h:0", "-y"), "h:0 is not cordoned"),
    ],
)
def test_what_cannot_be_is_said(two_cards: FakeSite, words: tuple[str, ...], said: str) -> None:
    ran = two_cards.run(*words)
    assert ran.code == 1
    assert said in ran.said
    assert active(two_cards.hosts["h"]) == {"q", "r"}


def test_a_saved_plan_holds_the_cards_that_were_accepted(two_cards: FakeSite) -> None:
    site = two_cards
    swap(site.hosts["h"])
    saved = site.folder / "plan.json"
    assert site.run("plan", "-o", str(saved)).code == 1
    assert site.run("plan", "--repin", "h:0", "-o", str(saved)).code == 0
    ran = site.run_on(saved, "apply")
    assert ran.code == 0, ran.said
    assert site.record()["instances"]["q"]["spec"]["gpus"] == ["GPU-cccccccc"]
