"""What the plan knows of a folder that models are brought to."""

from pathlib import Path

from xgen_deploy.probe.remote.missing_models import room_and_way


def test_what_a_cut_transfer_left_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "models--o--m/blobs"
    folder.mkdir(parents=True)
    part = folder / ".abc.0123456789abcdef.xgen-part"
    part.write_bytes(b"x" * (1 << 20))
    (folder / "whole").write_bytes(b"x")
    (told,) = room_and_way([str(tmp_path)], [])["folders"]
    assert [p["path"] for p in told["parts"]] == [str(part)]
    assert told["parts"][0]["size"] == part.stat().st_blocks * 512
