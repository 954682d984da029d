from pathlib import Path

import pytest

from tests.manifest.annotated import expected_problems
from tests.site_file import load_site
from xgen_deploy.manifest.diagnostics import ManifestError

CASES = Path(__file__).parent / "cases"
SINGLE = sorted((CASES / "problems").glob("*.yaml"))
FOLDERS = sorted(path for path in (CASES / "folders").iterdir() if path.is_dir())


def _check(manifest: Path, files: list[Path]) -> None:
    with pytest.raises(ManifestError) as caught:
        load_site(str(manifest))
    wanted = expected_problems(files)
    found = list(caught.value.problems)
    assert wanted
    for file, line, column, parts in wanted:
        match = [
            one
            for one in found
            if (one.file, one.line, one.column) == (file, line, column)
            and all(part in one.message for part in parts)
        ]
        assert match, f"no {line}:{column} {parts} in\n{caught.value}"
        found.remove(match[0])
    assert not found, "not expected:\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("manifest", SINGLE, ids=lambda path: path.stem)
def test_a_manifest_shows_all_its_problems_at_once(manifest: Path) -> None:
    _check(manifest, [manifest])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_problems_are_placed_in_the_file_that_holds_them(folder: Path) -> None:
    _check(folder / "site.yaml", [path for path in folder.rglob("*") if path.is_file()])


def test_the_value_of_a_secret_is_never_repeated() -> None:
    with pytest.raises(ManifestError) as caught:
        load_site(str(CASES / "problems" / "secrets.yaml"))
    assert "sk-very-secret" not in str(caught.value)
    assert "/T0/B0" not in str(caught.value)


def test_the_error_is_one_sorted_line_for_each_problem() -> None:
    with pytest.raises(ManifestError) as caught:
        load_site(str(CASES / "problems" / "odd_text.yaml"))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    assert [int(line.split(":")[1]) for line in lines] == sorted(
        int(line.split(":")[1]) for line in lines
    )
