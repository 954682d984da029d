"""Each case is data: a manifest's fragment and a host in, a command and an environment out."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.render.scene import HERE, Scene, cases
from xgen_deploy.backends.base import Unsupported
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.state.instance import Instance

CASES = cases(HERE / "cases")


def _engine_part(instance: Instance, rendered: Rendered) -> list[str]:
    """What the engine itself is given, without `docker run` and its options."""
    if instance.spec.runtime != "docker":
        return list(rendered.argv[1:])
    return list(rendered.argv[rendered.argv.index(instance.spec.image or "") + 1 :])


def _checked(instance: Instance, rendered: Rendered, wanted: dict[str, Any]) -> None:
    argv, run = _engine_part(instance, rendered), list(rendered.argv)
    assert instance.spec.backend == wanted.get("backend", instance.spec.backend)
    if "argv" in wanted:
        assert argv == shlex.split(wanted["argv"])
    if "env" in wanted:
        assert dict(rendered.env) == wanted["env"]
    for part in wanted.get("has", ()):
        assert f" {part} " in f" {shlex.join(run)} ", run
    for part in wanted.get("lacks", ()):
        assert part not in run
    for part in wanted.get("unit", ()):
        assert part in rendered.definition.content.splitlines()
    for part in wanted.get("notes", ()):
        assert part in instance.notes
    for name, mode in wanted.get("files", {}).items():
        assert {f.path.rpartition("/")[2]: f"{f.mode:04o}" for f in rendered.files}[name] == mode


@pytest.mark.parametrize("case", CASES, ids=[c["case"] for c in CASES])
def test_a_case(case: dict[str, Any], tmp_path: Path) -> None:
    scene = Scene(case, tmp_path)
    resolved = scene.resolved()
    wanted: list[dict[str, Any]] = case.get("expect", [])
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
    for instance, one in zip(resolved.instances, wanted, strict=True):
        _checked(instance, scene.rendered(instance), one)


def test_no_two_cases_have_one_name() -> None:
    names = [c["case"] for c in CASES]
    assert len(names) == len(set(names))
