"""llama.cpp's own quantizer, of Debian's newest packages: a folder that runs on any system, because
it brings its own C library.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab import cache
from tests.lab.process import LabError, run

_PACKAGE, _SUITE = "llama.cpp-tools", "sid"
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LIBRARIES = "root/usr/lib/x86_64-linux-gnu"
_SCRIPT = """#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" "$here/quantizer" "$@"
"""


def quantizer_dir() -> Path:
    """A folder with `llama-quantize`. Raises LabError where no archive has it."""
    return cache.built("quantizer", f"{_PACKAGE} {_SUITE} {_SCRIPT}", _build) / "quantizer"


def _build(draft: Path) -> None:
    _download(draft)
    for package in sorted(draft.glob("apt/cache/archives/*.deb")):
        run(["dpkg-deb", "--extract", str(package), str(draft / "root")])
    made = draft / "quantizer"
    (made / "lib").mkdir(parents=True)
    for folder in (draft / _LIBRARIES, draft / _LIBRARIES / "llama"):
        for library in folder.glob("*.so*"):
            library.rename(made / "lib" / library.name)
    (draft / "root/usr/bin/llama-quantize").rename(made / "quantizer")
    (made / "llama-quantize").write_text(_SCRIPT)
    (made / "llama-quantize").chmod(0o755)
    for rest in ("apt", "root"):
        shutil.rmtree(draft / rest)


def _download(draft: Path) -> None:
    """The package with all that it needs, whatever this machine has."""
    apt = draft / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    source = f"deb [signed-by={_KEYS} check-valid-until=no] {_archive()} {_SUITE} main\n"
    (apt / "sources.list").write_text(source)
    settings = {
        "Dir::State": apt / "state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    apt_get = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in settings.items())]
    run([*apt_get, "update"])
    run([*apt_get, "install", "--yes", "--no-install-recommends", "--download-only", _PACKAGE])


def _archive() -> str:
    """This machine's own Debian archive."""
    asked = ["Created-By: Packages", "Origin: Debian", "Component: main"]
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", *asked]).stdout.split()
    plain = [uri for uri in listed if "security" not in uri]
    if not plain:
        raise LabError("this machine has no Debian archive")
    return plain[0]
