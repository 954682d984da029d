"""Reads the template files: in the package when installed, else in the checkout's root."""

from pathlib import Path

from xgen_deploy.render.watchdog import WATCHDOG_PROGRAM


def read_templates() -> dict[str, str]:
    """Template name -> text. Raises FileNotFoundError for a broken installation."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "templates", package.parent / "templates"):
        if folder.is_dir():
            texts = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.j2")}
            program = (package / "watchdog" / "remote.py").read_text(encoding="utf-8")
            return {**texts, WATCHDOG_PROGRAM: program}
    raise FileNotFoundError("the package's templates are missing; reinstall xgen-deploy")
