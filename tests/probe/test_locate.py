"""Which file on a host is meant by a source as people write it, and what is said where none is."""

from pathlib import Path

import pytest

from tests.probe.gguf_writer import Keys, gguf, write
from tests.probe.test_models import COMMIT, hf_folder, in_cache, look, safetensors
from xgen_deploy.probe.remote.locate import downloaded

OTHER = "fedcba9876543210fedcba9876543210fedcba98"
REPO = "org/name"
FILES = ("Qwen3-Q4_K_M.gguf", "Qwen3-UD-Q4_K_M.gguf", "Qwen3-Q4_K_S.gguf", "mmproj-F16.gguf")


def cached(tmp_path: Path, *names: str) -> Path:
    folder = in_cache(tmp_path / "hf/hub")
    for name in names:
        write(folder / name, gguf())
    return folder


@pytest.mark.parametrize(
    ("source", "file"),
    [
        (f"{REPO}:Q4_K_M", "Qwen3-Q4_K_M.gguf"),
        (f"hf.co/{REPO}:q4_k_s", "Qwen3-Q4_K_S.gguf"),
        (f"{REPO}:UD-Q4_K_M", "Qwen3-UD-Q4_K_M.gguf"),
        (f"{REPO}:Q8_0", "Q8_0/Qwen3-00001-of-00002.gguf"),
        (f"https://huggingface.co/{REPO}/blob/main/Qwen3-Q4_K_S.gguf", "Qwen3-Q4_K_S.gguf"),
        (f"https://huggingface.co/{REPO}/resolve/{COMMIT}/mmproj-F16.gguf", "mmproj-F16.gguf"),
        (f"{REPO}@{COMMIT}:Q4_K_M", "Qwen3-Q4_K_M.gguf"),
    ],
)
def test_a_file_of_a_repository(tmp_path: Path, source: str, file: str) -> None:
    folder = cached(tmp_path, *FILES)
    keys: Keys = {"general.architecture": "gemma3", "split.count": 2}
    for part in (1, 2):
        write(folder / f"Q8_0/Qwen3-0000{part}-of-00002.gguf", gguf(keys))
    facts = look(tmp_path, source)
    assert (facts.error, facts.path) == (None, str(folder / file))


def test_the_only_model_of_a_repository(tmp_path: Path) -> None:
    folder = cached(tmp_path, "Q4_K_M/Qwen3-Q4_K_M.gguf", "mmproj-F16.gguf")
    write(folder / "config.json", b"{}")
    facts = look(tmp_path, REPO)
    assert (facts.error, facts.format) == (None, "gguf")
    assert facts.path == str(folder / "Q4_K_M/Qwen3-Q4_K_M.gguf")


def test_the_only_model_beneath_a_folder_has_to_be_readable(tmp_path: Path) -> None:
    path = write(tmp_path / "d/Q4_K_M/a.gguf", gguf())
    path.chmod(0o600)
    assert look(tmp_path, str(tmp_path / "d")).closed_file == str(path)


def test_several_models_of_a_repository_are_listed_to_choose_from(tmp_path: Path) -> None:
    folder = cached(tmp_path, *FILES)
    write(folder / "config.json", b"{}")
    facts = look(tmp_path, REPO)
    assert facts.error == (
        "holds several GGUF files: Qwen3-Q4_K_M.gguf, Qwen3-Q4_K_S.gguf, Qwen3-UD-Q4_K_M.gguf"
    )
    assert facts.choices[0] == f"{REPO}:Qwen3-Q4_K_M.gguf"
    assert not facts.missing


def test_several_models_of_a_folder_are_named_by_their_paths(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        write(tmp_path / "d" / name, gguf())
    facts = look(tmp_path, str(tmp_path / "d"))
    assert facts.choices == (f"{tmp_path}/d/a.gguf", f"{tmp_path}/d/b.gguf")


def test_a_folder_s_own_model_comes_before_those_beneath_it(tmp_path: Path) -> None:
    path = write(tmp_path / "d/a.gguf", gguf())
    write(tmp_path / "d/older/b.gguf", gguf())
    assert look(tmp_path, str(tmp_path / "d")).path == str(path)


def test_weights_of_hugging_face_come_before_a_gguf_beside_them(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "d")
    write(folder / "a.gguf", gguf())
    assert look(tmp_path, str(folder)).format == "hf"


def test_a_quantisation_that_several_files_have_is_listed(tmp_path: Path) -> None:
    cached(tmp_path, "a-Q4_0.gguf", "b-Q4_0.gguf")
    facts = look(tmp_path, f"{REPO}:Q4_0")
    assert facts.error == "Q4_0 may be several files: a-Q4_0.gguf, b-Q4_0.gguf"
    assert facts.choices == (f"{REPO}:a-Q4_0.gguf", f"{REPO}:b-Q4_0.gguf")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            f"{REPO}:Q6_K",
            "no GGUF file of Q6_K is in the local Hugging Face cache; it has Qwen",
        ),
        (f"{REPO}:qwen3-q4_k_m.gguf", "cache; of org/name it has Qwen3-Q4_K_M.gguf"),
        (
            "Org/Name",
            "Hugging Face cache (revision main); the cache has org/name",
        ),
        ("org/names", "; the cache has org/name"),
        ("org/x", "(revision main)"),
    ],
)
def test_what_is_there_instead(tmp_path: Path, source: str, reason: str) -> None:
    cached(tmp_path, *FILES)
    facts = look(tmp_path, source)
    assert facts.missing
    assert reason in (facts.error or "")


def test_a_copy_outside_the_cache_is_told_of(tmp_path: Path) -> None:
    hf_folder(tmp_path / "models/name")
    error = look(tmp_path, REPO).error or ""
    assert f"; {tmp_path}/models/name is there: name that path, if it is the same" in error


def test_what_lies_beside_a_path_that_is_not_there(tmp_path: Path) -> None:
    for name in ("Qwen3-Q4_K_M.gguf", "zzz.gguf"):
        write(tmp_path / name, gguf())
    facts = look(tmp_path, str(tmp_path / "qwen3-q4_k_m.gguf"))
    assert (facts.missing, facts.error) == (True, f"is not there; {tmp_path} has Qwen3-Q4_K_M.gguf")
    assert look(tmp_path, str(tmp_path / "no/x.gguf")).error == "is not there"


class TestAnotherRevision:
    """The cache has the repository, but not the revision that is asked for."""

    def held(self, tmp_path: Path, *commits: str) -> list[Path]:
        base = tmp_path / "hf/hub/models--org--name"
        return [hf_folder(base / "snapshots" / commit) for commit in commits]

    def test_the_only_one_is_taken_where_none_is_stated(self, tmp_path: Path) -> None:
        (folder,) = self.held(tmp_path, OTHER)
        facts = look(tmp_path, REPO, "")
        assert (facts.error, facts.path, facts.revision) == (None, str(folder), OTHER)

    def test_a_stated_one_is_kept_to(self, tmp_path: Path) -> None:
        self.held(tmp_path, OTHER)
        facts = look(tmp_path, REPO, "main")
        assert facts.missing
        assert f"(revision main); it is there in revision {OTHER[:12]}" in (facts.error or "")

    def test_of_several_none_is_taken(self, tmp_path: Path) -> None:
        self.held(tmp_path, OTHER, COMMIT)
        write(tmp_path / "hf/hub/models--org--name/refs/v1.0", COMMIT.encode())
        facts = look(tmp_path, REPO, "")
        assert f"it is there in revision v1.0, {OTHER[:12]}" in (facts.error or "")

    def test_one_that_is_still_being_downloaded_is_waited_for(self, tmp_path: Path) -> None:
        self.held(tmp_path, OTHER)
        write(tmp_path / "hf/hub/models--org--name/refs/main", COMMIT.encode())
        assert look(tmp_path, REPO, "").missing

    def test_the_beginning_of_a_commit_will_do(self, tmp_path: Path) -> None:
        folder, _ = self.held(tmp_path, OTHER, COMMIT)
        assert look(tmp_path, REPO, OTHER[:8]).path == str(folder)

    def test_the_address_has_the_word(self, tmp_path: Path) -> None:
        folder, _ = self.held(tmp_path, OTHER, COMMIT)
        address = f"https://huggingface.co/{REPO}/tree/{OTHER}"
        assert look(tmp_path, address, "").path == str(folder)


def test_a_file_that_was_put_where_its_address_was_to_be_downloaded_stays(tmp_path: Path) -> None:
    url = f"https://huggingface.co/{REPO}/resolve/main/m.gguf"
    path = write(Path(downloaded(url, str(tmp_path / "models"))), gguf())
    cached(tmp_path, "m.gguf")
    assert look(tmp_path, url).path == str(path)


def test_weights_beside_a_gguf_in_a_folder_without_config_do_not_hide_it(tmp_path: Path) -> None:
    path = write(tmp_path / "d/a.gguf", gguf())
    write(tmp_path / "d/imatrix.bin", safetensors())
    assert look(tmp_path, str(tmp_path / "d")).path == str(path)
