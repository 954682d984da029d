"""What one host breaks of its own costs the others nothing."""

from __future__ import annotations

import pytest
import yaml

from tests.hostile.conftest import LAYOUT, OTHER, Site, check

BROKEN = {
    "damaged": "{",
    "of a newer version": '{"format": 99, "project": "p"}',
    "an odd name": '{"format": 2, "project": "p", "pending": {"../x": "y"}}',
}


@pytest.mark.parametrize("record", BROKEN)
def test_a_record_that_cannot_be_used_keeps_no_other_host_from_its_apply(
    site: Site, record: str
) -> None:
    path = site.folder / "manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["hosts"][OTHER] = manifest["hosts"]["h"]
    path.write_text(yaml.safe_dump(manifest))
    site.host.document["record"] = BROKEN[record]
    refused = site.run("apply", "-y")
    check(site, refused)
    assert (refused.code, site.other.touched) == (1, [])
    done = site.run("apply", "-y", "--skip-refused")
    check(site, done)
    assert done.code == 1
    assert "ok      other/q" in done.said, done.said
    assert LAYOUT.record in site.other.files
    assert site.host.touched == []
