"""What lies in the folders of models, who needs it, and what `models prune` removes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving, sha256
from tests.lab.site import Ran, Site

NAME = "some/tiny-GGUF"
OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    gguf = model.read_bytes()
    files = {"tiny-q8.gguf": gguf, "tiny-q4.gguf": gguf + b"\0"}
    with serving(FakeHub({NAME: Repository(files, commit=OLD)})) as started:
        yield started


@pytest.fixture
def fetching(site: Site, hub: FakeHub, tmp_path: Path) -> Site:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["fetch"] = {"endpoint": hub.url}
    use(site, "tiny-q8.gguf")
    return site


def use(site: Site, file: str) -> None:
    site.models["tiny"]["source"] = f"{NAME}:{file}"


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran
    return ran


def models(site: Site, *words: str) -> dict[str, Any]:
    """Of this host, by the file's name."""
    host = json.loads(done(site.run("models", *words, "--json")).stdout)["hosts"]["here"]
    return {entry["place"].rpartition("/")[2]: entry for entry in host["models"]}


def prune(site: Site, *words: str) -> Ran:
    return site.run_on(site.write(), "models prune", *words)


def pruned(site: Site, *words: str) -> dict[str, str | None]:
    """What went, and why the others did not, by the file's size."""
    ran = done(prune(site, "-y", "--json", *words))
    removed = json.loads(ran.stdout)["hosts"].get("here", {}).get("removed") or []
    return {
        entry["origin"].rpartition(":")[2].partition("@")[0]: entry["reason"] for entry in removed
    }


def test_all_that_lies_there_is_listed_with_who_needs_it(
    fetching: Site, hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    done(fetching.run("fetch"))
    by_hand = tmp_path / "models/by-hand.gguf"
    by_hand.write_bytes(b"GGUF")
    found = models(fetching)
    assert found["tiny-q8.gguf"]["digest"] == sha256(model.read_bytes())
    assert found["tiny-q8.gguf"]["origin"].endswith(f" {NAME}:tiny-q8.gguf@{OLD}")
    assert found["tiny-q8.gguf"]["used_by"] == ["the manifest"]
    assert (found["by-hand.gguf"]["origin"], found["by-hand.gguf"]["used_by"]) == (None, [])
    shown = done(fetching.run("models")).stdout
    assert "not by us" in shown
    assert f"{NAME}:tiny-q8.gguf@{OLD[:12]}" in shown


def test_what_nobody_needs_is_removed_with_its_links_and_notes(
    fetching: Site, hub: FakeHub, tmp_path: Path
) -> None:
    done(fetching.run("fetch"))
    use(fetching, "tiny-q4.gguf")
    done(fetching.run("fetch"))
    use_both = models(fetching)
    assert use_both["tiny-q8.gguf"]["unused_bytes"] > 0
    assert use_both["tiny-q4.gguf"]["unused_bytes"] == 0
    assert pruned(fetching) == {"tiny-q8.gguf": None}
    left = {p.name for p in (tmp_path / "models/hf").rglob("*") if not p.is_dir()}
    assert "tiny-q4.gguf" in left
    assert "tiny-q8.gguf" not in left
    assert len(list((tmp_path / "models/hf").rglob("blobs/*"))) == 1
    assert len(list((tmp_path / "models/hf/.xgen/files").iterdir())) == 2
    assert (tmp_path / "models/hf/hub/models--some--tiny-GGUF/refs/main").read_text() == OLD
    assert models(fetching)["tiny-q4.gguf"]["used_by"] == ["the manifest"]


def test_a_revision_that_is_left_goes_whole(
    fetching: Site, hub: FakeHub, model: Path, tmp_path: Path
) -> None:
    done(fetching.run("fetch"))
    newer = {"tiny-q8.gguf": model.read_bytes() + b"newer"}
    hub.repositories[NAME] = Repository(newer, commit=NEW)
    fetching.models["tiny"]["revision"] = NEW
    done(fetching.run("fetch"))
    folder = tmp_path / "models/hf/hub/models--some--tiny-GGUF"
    assert pruned(fetching) == {"tiny-q8.gguf": None}
    assert [p.name for p in (folder / "snapshots").iterdir()] == [NEW]
    assert not (folder / "refs").exists()


def test_what_runs_what_ran_before_and_what_is_open_stays(
    fetching: Site, hub: FakeHub, tmp_path: Path
) -> None:
    fetching.apply()
    assert models(fetching)["tiny-q8.gguf"]["used_by"] == ["tiny", "the manifest", "apply #1"]
    use(fetching, "tiny-q4.gguf")
    fetching.apply()
    assert models(fetching)["tiny-q8.gguf"]["used_by"] == ["apply #1"]
    assert pruned(fetching) == {}
    (old,) = (p for p in (tmp_path / "models").rglob("tiny-q8.gguf"))
    with old.open("rb"):
        assert pruned(fetching, "--all-history") == {"tiny-q8.gguf": "a process has it open"}
    assert old.exists()
    assert pruned(fetching, "--all-history") == {"tiny-q8.gguf": None}
    assert not old.is_symlink()
    assert done(fetching.run("status")).code == 0


def test_a_note_leads_to_nothing_else(fetching: Site, tmp_path: Path) -> None:
    """Whoever may write to the folder may write notes."""
    done(fetching.run("fetch"))
    precious = tmp_path / "precious.gguf"
    precious.write_bytes(b"GGUF")
    (tmp_path / "models/away").symlink_to(tmp_path)
    notes = tmp_path / "models/.xgen/files"
    notes.mkdir(parents=True)
    status = precious.stat()
    for number, place in enumerate([str(precious), f"{tmp_path}/models/away/precious.gguf"]):
        note = {
            "place": place, "size": status.st_size, "mtime_ns": status.st_mtime_ns, "at": 1.0,
            "sha256": None, "sha1": None, "origin": "\x1b[31mme",
        }  # fmt: skip
        (notes / f"{status.st_ino + number}.json").write_text(json.dumps(note))
        (notes / f"{status.st_ino}.json").write_text(json.dumps(note))
    (notes / "7.json").write_text("[" * 20_000)
    (notes / "8.json").write_text('{"place": 7}')
    os.mkfifo(notes / "9.json")
    assert pruned(fetching) == {}
    assert precious.exists()


def test_a_project_whose_record_cannot_be_read_keeps_all(
    fetching: Site, state: Path, hub: FakeHub
) -> None:
    done(fetching.run("fetch"))
    use(fetching, "tiny-q4.gguf")
    done(fetching.run("fetch"))
    other = state / "xgen-deploy/other"
    other.mkdir(parents=True)
    (other / "record.json").write_text("{")
    refused = prune(fetching, "-y")
    assert refused.code == 1
    assert "it is not known what these projects need: other:" in refused.stdout


def test_the_digests_of_a_site_are_written_for_a_bundle(
    fetching: Site, model: Path, tmp_path: Path
) -> None:
    done(fetching.run("fetch"))
    file = tmp_path / "site.json"
    done(fetching.run("models", "--have", str(file)))
    assert json.loads(file.read_text())["hosts"]["here"]["digests"] == [sha256(model.read_bytes())]


def test_it_asks(fetching: Site) -> None:
    refused = prune(fetching)
    assert (refused.code, "cannot ask without a terminal" in refused.stderr) == (1, True)


def test_a_flipped_byte_is_found_and_comes_again(fetching: Site, tmp_path: Path) -> None:
    done(fetching.run("fetch"))
    (blob,) = (tmp_path / "models/hf").rglob("blobs/*")
    status = blob.stat()
    with blob.open("r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(blob, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = fetching.run_on(fetching.write(), "models verify", "--json")
    (entry,) = json.loads(found.stdout)["hosts"]["here"]["checked"]
    assert (found.code, entry["chunks"]) == (1, [0])
    assert "its SHA-256 is" in entry["reason"]
    again = fetching.run_on(fetching.write(), "models verify").stdout
    assert "brings what is damaged, and only that" in again
    said = done(fetching.run("fetch")).stdout
    assert "1 done, all good" in said, said
    done(fetching.run_on(fetching.write(), "models verify"))
    assert "nothing to fetch" in done(fetching.run("fetch")).stdout


def test_a_file_beneath_the_home_of_who_runs_it(site: Site, model: Path, tmp_path: Path) -> None:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env |= {"HOME": str(model.parent), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    site.models["tiny"]["source"] = {"local": f"~/{model.name}"}
    assert "1 done, all good" in done(site.run("fetch")).stdout
    (brought,) = (tmp_path / "models").rglob(model.name)
    assert brought.read_bytes() == model.read_bytes()
