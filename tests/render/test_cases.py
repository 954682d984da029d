"""Each case is data: a manifest's fragment and a host in, a command and an environment out."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from tests.render.scene import HERE, Scene, cases, check_keys
from xgen_deploy.backends.base import Unsupported
from xgen_deploy.frozen import Frozen
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.state.instance import Instance

CASES = cases(HERE / "cases")


def _engine_part(instance: Instance, rendered: Rendered) -> list[str]:
    """What the engine itself is given, without `docker run` and its options."""
    if instance.spec.runtime != "docker":
        return list(rendered.argv[1:])
    return list(rendered.argv[rendered.argv.index(instance.spec.image or "") + 1 :])


class Expected(Frozen):
    """Of one instance; what is None or empty is not looked at. `argv` and `env` are whole, `has`
    are words that follow each other in the command, `lacks` words that are nowhere in it, `unit`
    lines of the unit. `numbered` are the GPUs whose numbers are looked up at each start.
    `no_notes`: the plan has nothing to tell. `files` are modes by name.
    """

    backend: str | None = None
    argv: str | None = None
    env: dict[str, str] | None = None
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    numbered: str | None = None
    notes: tuple[str, ...] = ()
    no_notes: bool = False
    files: dict[str, str] = Field(default_factory=dict)


def _checked(instance: Instance, rendered: Rendered, expected: Expected) -> None:
    argv, run = _engine_part(instance, rendered), list(rendered.argv)
    assert expected.backend in (None, instance.spec.backend)
    if expected.argv is not None:
        assert argv == shlex.split(expected.argv)
    if expected.env is not None:
        assert dict(rendered.env) == expected.env
    for part in expected.has:
        assert f" {part} " in f" {shlex.join(run)} ", run
    for part in expected.lacks:
        assert part not in run
    assert set(expected.unit) <= set(rendered.definition.content.splitlines())
    if expected.numbered is not None:
        files = {f.path.rpartition("/")[2]: f.content for f in rendered.files}
        start = files.get("start.json", rendered.definition.content)
        assert ("nvidia-smi" in start) == bool(expected.numbered)
        assert expected.numbered in start
    assert set(expected.notes) <= set(instance.notes)
    assert not (expected.no_notes and instance.notes), instance.notes
    modes = {f.path.rpartition("/")[2]: f"{f.mode:04o}" for f in rendered.files}
    assert expected.files.items() <= modes.items()


@pytest.mark.parametrize("case", CASES, ids=[c["case"] for c in CASES])
def test_a_case(case: dict[str, Any], tmp_path: Path) -> None:
    scene = Scene(case, tmp_path)
    resolved = scene.resolved()
    expected = TypeAdapter(tuple[Expected, ...]).validate_python(case.get("expect", []))
    if "refused" in case:
        said = [f"{r.reason} {r.hint}" for r in resolved.refusals]
        for instance in resolved.instances:
            try:
                scene.rendered(instance)
            except Unsupported as error:
                said.append(str(error))
        assert len(said) == 1, said
        for part in case["refused"]:
            assert part in said[0]
        return
    assert resolved.refusals == ()
    for instance, one in zip(resolved.instances, expected, strict=True):
        _checked(instance, scene.rendered(instance), one)


def test_a_key_that_nobody_reads_is_refused() -> None:
    with pytest.raises(ValidationError, match="argvs"):
        Expected.model_validate({"argvs": "--port 8001"})
    with pytest.raises(ValueError, match="expects"):
        check_keys({"case": "c", "host": "cpu", "models": {}, "place": [], "expects": []})


def test_no_two_cases_have_one_name() -> None:
    names = [c["case"] for c in CASES]
    assert len(names) == len(set(names))
