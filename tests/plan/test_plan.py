"""What a plan says, case by case: the manifest, what was applied, and what happened since."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.world import World
from xgen_deploy.state.facts import PortFacts
from xgen_deploy.state.gpu import Attempt
from xgen_deploy.state.plan import HostPlan

BASE: dict[str, Any] = {
    "host": "cpu",
    "runtime": "docker",
    "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}},
    "place": [{"model": "q"}],
}


def changed(**over: Any) -> dict[str, Any]:
    model = {**BASE["models"]["q"], **over}
    return {**BASE, "models": {"q": {k: v for k, v in model.items() if v is not None}}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(BASE, tmp_path)


def said(plan: HostPlan) -> list[tuple[str, str, str]]:
    return [(o.action, o.name, o.cause) for o in plan.operations]


def test_first_it_creates_and_then_there_is_nothing_to_do(world: World) -> None:
    assert said(world.plan()) == [("create", "q", "not on this host yet")]
    world.apply()
    plan = world.plan()
    assert (plan.operations, plan.unchanged, plan.refusals) == ((), ("q",), ())


@pytest.mark.parametrize(
    ("over", "diff"),
    [
        ({"n_ctx": 8192}, [("n_ctx", 4096, 8192)]),
        ({"llama": {"parallel": 2}}, [("llama.parallel", 4, 2)]),
        ({"sampling": {"temperature": 0.5}}, [("sampling.temperature", None, 0.5)]),
        ({"env": {"A": "b"}}, [("env.A", None, "b")]),
        ({"api_key": {"env": "K"}}, [("api_key.env", None, "K")]),
        ({"listen": "0.0.0.0"}, [("listen", None, "0.0.0.0")]),
    ],
)
def test_a_change_is_shown_field_by_field(
    world: World, tmp_path: Path, over: dict[str, Any], diff: list[tuple[str, object, object]]
) -> None:
    world.apply()
    (operation,) = world.plan(changed(**over), tmp_path).operations
    assert operation.action == "update"
    assert operation.interrupts
    assert [(d.path, d.before, d.after) for d in operation.diff] == diff
    assert operation.diff[0].mark is not None, "where it was written"


def test_what_left_the_manifest_is_removed(world: World, tmp_path: Path) -> None:
    world.apply()
    plan = world.plan({**BASE, "place": []}, tmp_path)
    assert said(plan) == [("remove", "q", "no longer in the manifest")]


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ({"sha256": "other"}, "/etc/systemd/system/xgen-p-q.service was edited by hand"),
        ({"sha256": None}, "/etc/systemd/system/xgen-p-q.service is missing"),
        ({"overridden": ("/etc/x.conf",)}, "drop-ins change the unit: /etc/x.conf"),
        ({"enabled": False}, "the unit is disabled: it would not start at boot"),
        ({"state": "inactive"}, "it was stopped by hand, or exited"),
        (
            {"state": "failed", "result": "exit-code", "exit_status": 1},
            "it failed: exit status 1",
        ),
        (
            {"state": "failed", "result": "signal", "exit_status": 4},
            "it failed: killed by SIGILL (illegal instruction): this build needs CPU features that "
            "the host lacks",
        ),
        (
            {"state": "activating", "sub_state": "start-pre", "restarts": 4},
            "crash loop (4 restarts)",
        ),
        (
            {
                "state": "deactivating",
                "sub_state": "stop-post",
                "restarts": 2,
                "result": "exit-code",
                "exit_status": 1,
            },
            "crash loop (2 restarts): exit status 1",
        ),
        (
            {"state": "activating", "sub_state": "auto-restart", "restarts": 2},
            "crash loop (2 restarts)",
        ),
    ],
)
def test_drift_of_the_unit_is_repaired(world: World, what: dict[str, Any], cause: str) -> None:
    world.apply()
    world.service(**what)
    assert said(world.plan()) == [("repair", "q", cause)]


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ({"gone": True}, "its container is missing"),
        ({"labels": {}}, "its container was replaced by hand"),
        ({"image_id": "sha256:x"}, "its container runs another image than was applied"),
        ({"state": "exited"}, "its container is exited"),
    ],
)
def test_drift_of_the_container_is_repaired(world: World, what: dict[str, Any], cause: str) -> None:
    world.apply()
    world.container(**what)
    assert said(world.plan()) == [("repair", "q", cause)]


def test_maintenance_is_no_drift_and_no_apply_ends_it(world: World, tmp_path: Path) -> None:
    world.apply()
    world.stopped("q")
    world.service(state="inactive")
    assert world.plan().operations == ()
    plan = world.plan(changed(n_ctx=8192), tmp_path)
    assert plan.operations == ()
    assert any("with changes pending" in w for w in plan.warnings)


def test_what_was_stopped_in_the_middle_of_a_change_is_finished(world: World) -> None:
    world.apply()
    world.stopped("q")
    world.record = world.record.model_copy(update={"pending": {"q": "d"}})
    assert said(world.plan())[0][:2] == ("update", "q")


def test_an_unfinished_apply_is_finished(world: World, tmp_path: Path) -> None:
    world.apply()
    world.record = world.record.model_copy(update={"pending": {"q": "x"}})
    (operation,) = world.plan(changed(n_ctx=8192), tmp_path).operations
    assert operation.cause == "an earlier apply began it and did not finish"
    assert [d.path for d in operation.diff] == ["n_ctx"]


def test_a_strangers_port_is_refused_with_its_name(world: World, tmp_path: Path) -> None:
    world.fact(ports=(PortFacts(port=8005, address="0.0.0.0", pid=9, process="nginx"),))
    case = {**BASE, "place": [{"model": "q", "port": 8005}]}
    (refusal,) = world.plan(case, tmp_path).refusals
    assert "port 8005 is held by nginx (pid 9)" in refusal.reason


def test_a_free_port_is_taken_and_kept(world: World, tmp_path: Path) -> None:
    world.fact(ports=(PortFacts(port=8001, address="0.0.0.0", pid=9, process="nginx"),))
    plan = world.plan()
    assert plan.operations[0].instance is not None
    assert plan.operations[0].instance.spec.port == 8002


def test_what_could_not_be_looked_at_is_refused_not_taken_for_empty(world: World) -> None:
    world.apply()
    world.fact(services=(), errors={"services": "TimeoutError: no answer"})
    plan = world.plan()
    assert plan.operations == ()
    assert "could not read its services" in plan.refusals[0].reason


def test_a_newer_record_is_refused(world: World) -> None:
    world.apply()
    world.record = world.record.model_copy(update={"format": 99})
    assert "newer than this tool knows" in world.plan().refusals[0].reason


@pytest.mark.parametrize(
    ("docker", "reason"),
    [
        ({"state": "absent"}, "Docker is not installed"),
        ({"state": "down", "reason": "no socket"}, "the Docker daemon does not answer"),
        ({"state": "denied"}, "this login may not open the Docker socket"),
        ({"state": "podman"}, "`docker` on this host is Podman"),
        ({"state": "snap"}, "Docker here is the snap, whose `docker` reads homes and"),
        ({"state": "rootless"}, "Docker here is rootless"),
        ({"cli": None}, "the Docker daemon answers, but its command `docker` is not installed"),
        ({"unit": None}, "the Docker daemon was started by hand"),
    ],
)
def test_docker_that_cannot_be_used_is_refused(
    world: World, docker: dict[str, Any], reason: str
) -> None:
    world.fact(docker=world.facts.docker.model_copy(update=docker))
    (refusal,) = world.plan().refusals
    assert refusal.reason.startswith(reason)
    assert refusal.hint


def test_a_host_that_keeps_no_log_is_refused_before_anything_is_stopped(world: World) -> None:
    world.apply()
    world.fact(journal_gap="`Storage=none` in [Journal] of /etc/systemd/journald.conf")
    plan = world.plan()
    (refusal,) = plan.refusals
    assert plan.operations == ()
    assert refusal.reason.startswith("the engines' logs cannot be read: the journal of this host")
    assert "`Storage=none` in [Journal] of /etc/systemd/journald.conf" in refusal.reason
    assert "`systemctl restart systemd-journald`" in refusal.hint


def test_a_host_that_left_the_manifest_is_not_forgotten(world: World) -> None:
    world.apply()
    world.record = world.record.model_copy(update={"hosts": ("h", "old")})
    assert any(w.startswith("old left the manifest") for w in world.plan().warnings)


@pytest.mark.parametrize("stated", [{}, {"gpus": "all"}, {"gpus": [0]}, {"gpus": ["GPU-a"]}])
def test_a_card_that_is_gone_does_not_become_the_cpu(
    tmp_path: Path, stated: dict[str, Any]
) -> None:
    world = World({**BASE, "host": "h100", "place": [{"model": "q", **stated}]}, tmp_path)
    world.apply()
    world.cards(())
    plan = world.plan()
    assert plan.operations == ()
    (refusal,) = plan.refusals
    assert "GPU-a" in refusal.reason
    assert "no GPU was found on this host" in refusal.reason
    assert "xgen-deploy gpus" in refusal.hint


def test_cards_that_nothing_talks_to_are_warned_of(tmp_path: Path) -> None:
    case = {**BASE, "host": "h100", "models": {"q": {**BASE["models"]["q"]}}}
    world = World(case, tmp_path)
    assert not any("may not start" in w for w in world.plan().warnings)
    failed = Attempt(detector="pynvml", ok=False, reason="mismatch: reboot the host")
    absent = Attempt(
        detector="nvidia-smi", ok=False, reason="nvidia-smi is not there", expected_absent=True
    )
    told = {"detection_method": "sysfs", "attempts": (failed, absent)}
    world.fact(gpu=world.facts.gpu.model_copy(update=told))
    warning = "an engine may not start on its NVIDIA GPUs: pynvml: mismatch: reboot the host"
    assert warning in world.plan().warnings


def test_secrets_are_said_to_be_kept_and_not_compared(world: World, tmp_path: Path) -> None:
    secret = changed(api_key={"env": "K"})
    assert world.plan(secret, tmp_path).secrets_kept == (), "none was delivered yet"
    keyed = World(secret, tmp_path)
    keyed.apply()
    assert keyed.plan().secrets_kept == ("q",)


@pytest.mark.parametrize(
    ("closed", "runtime", "refused"),
    [
        ({"closed_file": "/m/q"}, "docker", "chmod o+rX /m/q"),
        ({"closed_folder": "/m"}, "docker", None),
        ({"closed_inside": "/m"}, "docker", "chmod o+x /m"),
        ({"closed_inside": "/m"}, "systemd", None),
        ({"closed_folder": "/m"}, "systemd", "chmod o+x /m"),
    ],
)
def test_a_model_that_the_engine_may_not_read_is_refused(
    tmp_path: Path, closed: dict[str, str], runtime: str, refused: str | None
) -> None:
    world = World({**BASE, "runtime": runtime}, tmp_path)
    (model,) = world.scene.facts.models
    models = (model.model_copy(update=closed),)
    world.scene.facts = world.scene.facts.model_copy(update={"models": models})
    found = [r.hint for r in world.plan().refusals]
    assert found == ([f"Run on the host: `{refused}`."] if refused else [])


def test_one_end_is_for_systemd_to_mend(world: World) -> None:
    world.apply()
    world.service(state="activating", sub_state="auto-restart", restarts=0)
    assert world.plan().operations == ()


def test_a_context_beyond_the_models_is_refused(tmp_path: Path) -> None:
    """llama-server gives a request no more than the model was trained with: the gate would fail."""
    (refusal,) = World(changed(n_ctx=1 << 20), tmp_path).plan().refusals
    assert "n_ctx: 1048576 is beyond the" in refusal.reason
    own = changed(n_ctx=1 << 20, llama={"extra_args": ["--override-kv", "qwen3.x=int:1048576"]})
    assert World(own, tmp_path).plan().refusals == ()
