"""Files that go into a bundle as they are: wheels of this tool, and packages of the site."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path

from xgen_deploy import __version__
from xgen_deploy.bundle.collect import Blobs
from xgen_deploy.bundle.index import FilePart
from xgen_deploy.errors import XgenError
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.visible import printable

TOOL = "xgen-deploy"
REQUIREMENTS = "wheels/requirements.txt"
_METADATA = 1 << 20
_MINUTES = 30 * 60
_SHOWN = 300


@dataclass(frozen=True)
class Wheels:
    """Which wheels are wanted: those in `folder`, and for each of the Pythons (`3.12`) and
    platforms (`manylinux2014_x86_64`) what pip finds there or in its index."""

    folder: str | None = None
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def add(self, blobs: Blobs) -> tuple[FilePart, ...]:
        """With a file of requirements that names their digests. Raises XgenError."""
        if self.folder is None and not self.pythons:
            return ()
        with tempfile.TemporaryDirectory() as folder:
            for python in self.pythons:
                self._download(python, folder)
            found = [*_wheels_in(self.folder), *_wheels_in(folder)]
            parts = [_wheel(blobs, path) for path in {p.name: p for p in found}.values()]
        if not any(_is_tool(part) for part in parts):
            raise XgenError(
                f"among the wheels is none of {TOOL} {__version__}; put it into the folder of "
                "`--wheels`"
            )
        text = requirements(parts).encode()
        listed = FilePart(kind="requirements", file=blobs.member(REQUIREMENTS, text))
        return (*parts, listed)

    def _download(self, python: str, folder: str) -> None:
        words = ["download", "--disable-pip-version-check", "--quiet", "--only-binary", ":all:"]
        words += ["--dest", folder, "--python-version", python, "--implementation", "cp"]
        words += [word for platform in self.platforms for word in ("--platform", platform)]
        words += ["--find-links", self.folder] if self.folder is not None else []
        done = subprocess.run(
            [sys.executable, "-m", "pip", *words, f"{TOOL}=={__version__}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_MINUTES,
            check=False,
        )
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            said = printable((lines or ["no reason given"])[0])[:_SHOWN]
            raise XgenError(f"pip does not bring the wheels for Python {python}: {said}")


def packages(blobs: Blobs, patterns: Sequence[str], digests: LocalDigests) -> Iterator[FilePart]:
    """Raises XgenError where a pattern names nothing."""
    names: dict[str, Path] = {}
    for pattern in patterns:
        named = Path(pattern).expanduser()
        found = [path for path in sorted(named.parent.glob(named.name)) if path.is_file()]
        if not found:
            raise XgenError(f"packages: there is no file {pattern}")
        for path in found:
            if names.setdefault(path.name, path) != path:
                raise XgenError(f"packages: {path} and {names[path.name]} have the same name")
    for name, path in names.items():
        digest = blobs.add_file(path, digests)
        yield FilePart(kind="package", file=blobs.named(f"packages/{name}", digest))


def requirements(parts: Sequence[FilePart]) -> str:
    """For `pip install --require-hashes`: of each version the digests of all of its wheels."""
    digests: dict[str, list[str]] = {}
    for part in parts:
        digests.setdefault(f"{part.name}=={part.version}", []).append(part.file.sha256)
    return "".join(
        f"{what} " + " ".join(f"--hash=sha256:{d}" for d in sorted(of)) + "\n"
        for what, of in sorted(digests.items())
    )


def _wheels_in(folder: str | None) -> list[Path]:
    if folder is None:
        return []
    if not Path(folder).is_dir():
        raise XgenError(f"--wheels: there is no folder {folder}")
    return sorted(Path(folder).glob("*.whl"))


def _wheel(blobs: Blobs, path: Path) -> FilePart:
    """Raises XgenError where it is none."""
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            with archive.open(name) as file:
                stated = BytesHeaderParser().parsebytes(file.read(_METADATA))
    except (zipfile.BadZipFile, ValueError, OSError):
        raise XgenError(f"{path} is no wheel") from None
    return FilePart(
        kind="wheel",
        file=blobs.member(f"wheels/{path.name}", content),
        name=stated["Name"] or "",
        version=stated["Version"] or "",
        license=(stated["License-Expression"] or stated["License"] or "")[:_SHOWN] or None,
        origin="pip",
    )


def _is_tool(part: FilePart) -> bool:
    name = part.name.replace("_", "-").lower()
    return (name, part.version) == (TOOL, __version__)
