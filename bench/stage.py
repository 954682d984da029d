"""The hosts of the benchmark and the files that are written for it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab import access, places

HOST = "lab-fleet"
PROJECT, MODEL = "bench", "gemma"
INSTANCE = f"xgen-{PROJECT}-{MODEL}"


@dataclass(frozen=True)
class Stage:
    """One lab host with many addresses: it plays as many hosts, which share its record."""

    folder: Path

    @property
    def ssh_config(self) -> Path:
        return access.config_path()

    @property
    def known_hosts(self) -> Path:
        return access.known_hosts_path()

    @property
    def program(self) -> str:
        return str(Path(sys.executable).with_name("xgen-deploy"))

    @property
    def compiled(self) -> dict[str, str]:
        """So that a checkout's modules are compiled once, as an installed package's are."""
        folder = str(self.folder / "compiled")
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}

    def names(self, count: int) -> list[str]:
        return [f"{HOST}-{number:02}" for number in range(1, count + 1)]

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def manifest(self, names: list[str]) -> Path:
        """The same instance on each of `names`."""
        hosts = "".join(f"      {name}:\n" for name in names)
        placed = "".join(f"  {name}: [{{model: {MODEL}}}]\n" for name in names)
        return self.write(
            f"manifest-{len(names)}.yaml",
            f"project: {PROJECT}\nruntime: docker\npull: never\n"
            f"images: {{llama: {places.IMAGE!r}}}\n"
            f"models: {{{MODEL}: {{source: {places.MODEL}, n_ctx: 2048}}}}\n"
            f"inventory:\n  all:\n    hosts:\n{hosts}hosts:\n{placed}",
        )

    def deploy(self) -> None:
        """Bring the instance up, through the first name. Raises CalledProcessError."""
        manifest = self.manifest(self.names(1))
        argv = [self.program, "apply", str(manifest), "--ssh-config", str(self.ssh_config), "-y"]
        subprocess.run(argv, check=True, stdout=sys.stderr)
