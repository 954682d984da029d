"""What was put in place, so that the next demo sees at a glance that it still is."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Receipt:
    """`recipe`: digest of what was asked for. `files`: path -> size and time of change, both as
    the file system tells them, or where a link leads."""

    recipe: str
    files: dict[str, str]

    @classmethod
    def of(cls, folder: Path, recipe: str) -> "Receipt":
        """Looks at every file below the folder but the hidden ones."""
        paths = (p for p in sorted(folder.rglob("*")) if p.is_symlink() or p.is_file())
        shown = (p for p in paths if not p.relative_to(folder).parts[0].startswith("."))
        return cls(recipe, {str(p.relative_to(folder)): _state(p) for p in shown})

    @classmethod
    def read(cls, path: Path) -> "Receipt | None":
        """None where there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def _state(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"
