"""`xgen-deploy bundle`: a manifest with all that its hosts need, in one file."""

from pathlib import Path

import click
from rich.markup import escape

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.options import current_output, trust_options
from xgen_deploy.errors import UsageError

_JSON = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@click.group("bundle")
def command() -> None:
    """Put a manifest and all that its hosts need into one signed file, and look into it.

    `plan`, `fetch` and `apply --bundle FILE` then take everything from there: behind a wall,
    nothing has to be reached.
    """


@command.command("create", cls=ManifestCommand)
@click.option("-o", "--output", metavar="FILE", required=True, help="The bundle, site.xgen.")
@click.option(
    "--sign",
    "key",
    metavar="KEY",
    help="Sign with this SSH key; a public key where an agent has the private one.",
)
@click.option(
    "--encrypt-to",
    multiple=True,
    metavar="KEY",
    help="Encrypt by age: a public key of age or SSH, or a file of such; repeatable.",
)
@click.option(
    "--serial", type=click.IntRange(0, 10**15 - 1), metavar="N", help="Instead of the time."
)
@click.option("--volume-size", metavar="SIZE", help="Most bytes of one file, such as 60G.")
@click.option("--no-inventory", is_flag=True, help="Leave out addresses and logins of hosts.")
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="VERSION",
    help="Put this tool in, as wheels for this Python, such as 3.12; repeatable.",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="PLATFORM",
    help="Of these wheels, such as manylinux2014_x86_64; repeatable.",
)
@click.option(
    "--have",
    metavar="FILE",
    help="Leave out what all hosts have that need it; FILE is from `models --have` on the site.",
)
@click.option(
    "--fleet",
    metavar="FILE",
    help="Check what the hosts are; FILE is what `gpus --json` printed on the site.",
)
@click.option("--wheels", metavar="DIR", help="Wheels to put in as they are.")
@click.option(
    "-i", "--inventory", multiple=True, metavar="FILE", help="Override the manifest's inventory."
)
@click.option(
    "-e", "--extra-vars", "variables", multiple=True, metavar="KEY=VALUE", help="As for `plan`."
)
@_JSON
@click.argument("manifest", metavar="MANIFEST")
def create(
    as_json: bool,
    manifest: str,
    output: str,
    key: str | None,
    encrypt_to: tuple[str, ...],
    serial: int | None,
    volume_size: str | None,
    no_inventory: bool,
    pythons: tuple[str, ...],
    platforms: tuple[str, ...],
    wheels: str | None,
    have: str | None,
    fleet: str | None,
    inventory: tuple[str, ...],
    variables: tuple[str, ...],
) -> None:
    """Put MANIFEST and all that its hosts need into one file. No host is contacted.

    What is not on this machine yet is fetched. No secret goes in. A `create` that was cut goes on
    where it was.
    """
    from xgen_deploy.bundle.create import Order
    from xgen_deploy.bundle.files import Wheels
    from xgen_deploy.cli.bundle_document import written_document
    from xgen_deploy.cli.bundling import (
        make_bundle,
        seen_fleet,
        size_option,
        what_is_had,
        written_lines,
    )

    current_output().begin(asked_for=as_json)
    if not Path(output).parent.is_dir():
        raise UsageError(f"-o {output}: there is no folder {Path(output).parent}")
    order = Order(
        output=Path(output),
        key=key,
        encrypt_to=encrypt_to,
        serial=serial,
        volume_size=size_option("--volume-size", volume_size),
        addresses=not no_inventory,
        wheels=Wheels(wheels, pythons, platforms),
        have=what_is_had(have) if have is not None else {},
        fleet=seen_fleet(fleet) if fleet is not None else {},
    )
    written = make_bundle(manifest, inventory, variables, order)
    if not as_json:
        return _print(written_lines(written))
    return current_output().document(written_document(written))


@command.command("show")
@click.option("--report", is_flag=True, help="Every file, with digest, licence and origin.")
@_JSON
@click.argument("file", metavar="BUNDLE")
def show(file: str, report: bool, as_json: bool) -> None:
    """Show what is in BUNDLE. Whose signature it has is looked at by `verify`."""
    from xgen_deploy.bundle.read import open_bundle
    from xgen_deploy.bundle.report import report_lines, summary_lines
    from xgen_deploy.cli.bundle_document import bundle_document

    current_output().begin(asked_for=as_json)
    bundle = open_bundle(file, None)
    if as_json:
        return current_output().document(bundle_document(bundle))
    return _print([*summary_lines(bundle), *(report_lines(bundle) if report else ())])


@command.command("verify")
@trust_options
@_JSON
@click.argument("file", metavar="BUNDLE")
def verify(file: str, allowed_signers: str | None, allow_unsigned: bool, as_json: bool) -> int:
    """Read all of BUNDLE, and say whose it is and which part is damaged."""
    from xgen_deploy.bundle.read import Trust, open_bundle
    from xgen_deploy.bundle.report import names_of
    from xgen_deploy.cli.bundle_document import bundle_document, damage_of
    from xgen_deploy.cli.bundling import damages, verified_lines
    from xgen_deploy.documents.error_entry import ErrorEntry

    output = current_output()
    output.begin(asked_for=as_json)
    bundle = open_bundle(file, Trust(allowed_signers, allow_unsigned))
    found = damages(bundle)
    lines, names = verified_lines(bundle, found), names_of(bundle.index)
    if as_json:
        told = tuple(damage_of(damage, names) for damage in found)
        output.document(bundle_document(bundle, damages=told))
    else:
        _print(lines)
    if found:
        output.error(ErrorEntry(message=lines[-1]))
    return 1 if found else 0


@command.command("unpack")
@trust_options
@click.option("-o", "--output", metavar="DIR", required=True, help="A new folder.")
@click.argument("file", metavar="BUNDLE")
def unpack(file: str, output: str, allowed_signers: str | None, allow_unsigned: bool) -> None:
    """Take wheels, packages, the list of parts and the manifest out of BUNDLE. Models stay."""
    from xgen_deploy.bundle.read import Trust, open_bundle
    from xgen_deploy.cli.bundling import unpacked_lines

    _print(unpacked_lines(open_bundle(file, Trust(allowed_signers, allow_unsigned)), output))


def _print(lines: list[str]) -> None:
    from rich.console import Console

    from xgen_deploy.cli.screens.screen import print_line

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    for line in lines:
        print_line(console, escape(line))
