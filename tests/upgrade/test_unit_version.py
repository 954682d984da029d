"""Whoever changes a unit's template is told what that asks for."""

from tests.upgrade.templates import KEPT, digests


def test_a_changed_unit_template_has_a_version_of_its_own() -> None:
    assert KEPT.read_text() == digests(), (
        "a template that shapes units has changed: if UNIT_VERSION (render/unit_version.py) is "
        "the one of the last release, raise it by one, so that sites are told of `--refresh`; "
        "then run `python -m tests.upgrade.templates` and commit tests/upgrade/templates.sha256"
    )
