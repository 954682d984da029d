"""What an instance loads is there, or not: files, their parts, folders of links."""

from pathlib import Path

import pytest

from xgen_deploy.watch.remote.model_files import all_present


def _spec(path: Path, **more: object) -> dict[str, object]:
    return {"model_path": str(path), **more}


@pytest.mark.parametrize(
    ("gone", "present"), [(None, True), ("m-00002-of-00003.gguf", False), ("b.jinja", False)]
)
def test_parts_and_what_is_loaded_beside(tmp_path: Path, gone: str | None, present: bool) -> None:
    names = [f"m-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    for name in (*names, "b.jinja", "lora.gguf"):
        if name != gone:
            (tmp_path / name).write_text("x")
    beside = {
        "chat_template": {"path": str(tmp_path / "b.jinja")},
        "loras": {"x": {"path": str(tmp_path / "lora.gguf")}},
        "draft": None,
    }
    assert all_present(_spec(tmp_path / names[0], **beside)) == present


def test_a_folder_whose_links_lead_nowhere_is_not_there(tmp_path: Path) -> None:
    blob, folder = tmp_path / "blob", tmp_path / "snapshot"
    folder.mkdir()
    assert not all_present(_spec(folder)), "an empty one serves nothing"
    (folder / "model.safetensors").symlink_to(blob)
    blob.write_text("x")
    assert all_present(_spec(folder))
    blob.unlink()
    assert not all_present(_spec(folder))
