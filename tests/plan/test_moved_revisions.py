"""One model in several states of its repository."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from xgen_deploy.plan.moved_revisions import moved_revisions

OLD, NEW = "a" * 40, "b" * 40
SITE: Any = SimpleNamespace(lock=None, manifest_file="site.yaml")


def _gets(commit: str, key: str = "some/tiny") -> Any:
    artifact = SimpleNamespace(name="some/tiny", revision="main", commit=commit)
    lacking = SimpleNamespace(key=key, artifact=artifact)
    return SimpleNamespace(lacking=(lacking,), facts=SimpleNamespace(models=()))


def _has(commit: str, key: str = "some/tiny", *, missing: bool = False) -> Any:
    path = f"/srv/hf/hub/models--some--tiny/snapshots/{commit}/tiny.gguf"
    model = SimpleNamespace(key=key, path=path, missing=missing)
    return SimpleNamespace(lacking=(), facts=SimpleNamespace(models=(model,)))


def test_which_hosts_have_which_is_told_with_what_holds_them_together() -> None:
    assert moved_revisions(SITE, {"gpu-01": _has(OLD), "gpu-02": _gets(NEW)}) == (
        "some/tiny: main has moved: gpu-02 gets bbbbbbbbbbbb, gpu-01 has aaaaaaaaaaaa; "
        "`xgen-deploy lock site.yaml` holds all hosts at one commit",
    )


@pytest.mark.parametrize(
    "has", [_has(NEW), _has(OLD, "some/tiny@v1"), _has(OLD, missing=True), _gets(NEW)]
)
def test_nothing_is_told_of_what_is_one_or_stated_otherwise(has: Any) -> None:
    assert moved_revisions(SITE, {"gpu-01": has, "gpu-02": _gets(NEW)}) == ()


def test_a_lock_file_holds_it() -> None:
    site: Any = SimpleNamespace(lock=object(), manifest_file="site.yaml")
    assert moved_revisions(site, {"gpu-01": _has(OLD), "gpu-02": _gets(NEW)}) == ()
