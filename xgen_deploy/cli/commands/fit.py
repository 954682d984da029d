"""`xgen-deploy fit`: what a model takes of memory, and what fits."""

import click

from xgen_deploy.backends.llama_devices import FIRST
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.errors import UsageError


@click.command("fit", context_settings={"ignore_unknown_options": False})
@click.option("--backend", type=click.Choice(tuple(FIRST)), help="The build that is started.")
@click.option(
    "--devices", metavar="NAMES", help="The GPUs that it sees, such as CUDA0,CUDA1; else one."
)
@click.option(
    "--engine-build",
    type=click.IntRange(1, 10**6),
    metavar="NUMBER",
    help="Of llama.cpp, such as 10434; else the newest that is known.",
)
@click.option(
    "--max-buffer-mib",
    type=click.IntRange(1, 10**8),
    metavar="MIB",
    help="The largest buffer that the GPUs take; else any.",
)
@click.option(
    "--quantize", metavar="TYPE", help="As if that were made of it first, such as Q4_K_M."
)
@host_options
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- ENGINE OPTIONS]")
def command(
    settings: Settings,
    words: tuple[str, ...],
    backend: str | None,
    devices: str | None,
    engine_build: int | None,
    max_buffer_mib: int | None,
    quantize: str | None,
) -> int:
    """Tell what a start of llama-server will take of memory, from the model's header alone."""
    if backend is None:
        raise UsageError("state `--backend`")
    from xgen_deploy.cli.fit_words import fit_words

    names = FIRST[backend] if devices is None else devices
    return fit_words(
        settings,
        words,
        backend=backend,
        devices=tuple(name for name in names.split(",") if name),
        build=engine_build,
        largest_mib=max_buffer_mib,
        quantize=quantize,
    )
