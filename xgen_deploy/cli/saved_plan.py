"""A saved plan on the command line, with the manifest that it was made from."""

from dataclasses import replace
from pathlib import Path

from xgen_deploy import frozen
from xgen_deploy.cli.opening import read_site
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.saved_edit import edited_files
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.saved import SavedPlan, read_saved
from xgen_deploy.state.site import Site


def saved_plan(settings: Settings) -> SavedPlan | None:
    """The plan in the file of the command line, with its manifest's name as it can be found from
    here; None for a manifest. Raises UsageError where the manifest has changed since.
    """
    saved = _read(settings.manifest)
    if saved is None:
        return None
    if settings.limit or settings.inventory:
        raise UsageError("a saved plan has its own inventory and limit; leave out -i and --limit")
    return frozen.replace(saved, site=_unchanged_site(saved, settings))


def _read(path: str) -> SavedPlan | None:
    """A saved plan starts with a brace, which no manifest does."""
    try:
        with Path(path).open("rb") as file:
            if file.read(1) != b"{":
                return None
        return read_saved(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError):
        return None


def _unchanged_site(saved: SavedPlan, settings: Settings) -> Site:
    manifest = _find("manifest", saved.manifest, saved.site.manifest_file, settings)
    paths = (saved.inventory, *saved.more_inventories) if saved.inventory else ()
    inventory = tuple(_find("inventory", path, path, settings) for path in paths)
    variables = settings.variables or saved.variables
    now = read_site(
        replace(settings, manifest=manifest, inventory=inventory, variables=variables),
        edited=edited_files(saved, manifest),
    )
    if now.manifest_digest != saved.site.manifest_digest:
        given = ", or a variable," if variables else ""
        raise UsageError(
            f"refused: {manifest} or its inventory{given} has changed since the plan was saved; "
            "save a new one with `xgen-deploy plan -o FILE`"
        )
    return frozen.replace(saved.site, manifest_file=manifest)


def _find(what: str, absolute: str | None, name: str, settings: Settings) -> str:
    """Where it was, else by its name from the plan's folder or from here: in another checkout."""
    folder = Path(settings.manifest).parent
    places = [folder / name, folder / Path(name).name, Path(name)]
    if absolute is not None:
        places.insert(0, Path(absolute))
    for place in places:
        if place.is_file() or (what == "inventory" and place.is_dir()):
            return str(place)
    tried = dict.fromkeys(str(p.absolute()) for p in places)
    raise UsageError(
        f"refused: the {what} of this plan cannot be found: there is no {' or '.join(tried)}. "
        "Without it nobody can tell whether it has changed; save a new plan with "
        "`xgen-deploy plan -o FILE`"
    )
