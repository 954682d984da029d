"""`xgen-deploy fit`: what a model takes of memory, and what fits."""

from dataclasses import replace

import click

from xgen_deploy.backends.llama_devices import FIRST
from xgen_deploy.cli.manifest_command import is_manifest, usual_manifest
from xgen_deploy.cli.options import Settings, fleet_option, host_options
from xgen_deploy.errors import UsageError

_EXPORT = "export"


@click.command("fit", context_settings={"ignore_unknown_options": False})
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    metavar="SIZE",
    help="A GPU to look at, such as 24G or H100; repeatable, and `2x 24G` are two.",
)
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
@fleet_option
@host_options
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[MODEL] [-- ENGINE OPTIONS]")
def command(
    settings: Settings,
    words: tuple[str, ...],
    gpus: tuple[str, ...],
    fleet: str | None,
    backend: str | None,
    devices: str | None,
    engine_build: int | None,
    max_buffer_mib: int | None,
    quantize: str | None,
) -> int:
    """Tell what a model takes of memory, and what of it fits.

    `fit MODEL --gpu 24G` looks at a GGUF or a folder here, `fit MANIFEST MODEL` at every host that
    has the model, `fit FILE.gguf --backend BUILD -- ENGINE OPTIONS` at one start of llama-server.
    `fit export [MANIFEST]` prints what drivers were measured to take of GPUs, for a fleet file.
    """
    if settings.manifest == _EXPORT and not gpus and backend is None:
        if len(words) > 1:
            raise UsageError(f"`fit {_EXPORT}` takes a manifest, and no more")
        from xgen_deploy.cli.fit_export import fit_export

        return fit_export(replace(settings, manifest=(*words, usual_manifest())[0]), fleet)
    of_a_start = (devices, engine_build, max_buffer_mib)
    of_hosts = is_manifest(settings.manifest)
    if (of_hosts or gpus) and any(option is not None for option in of_a_start):
        raise UsageError(
            "--devices, --engine-build and --max-buffer-mib are for one start, with `--backend` "
            "and without `--gpu`"
        )
    if of_hosts and quantize is not None:
        raise UsageError("--quantize is for a file here; in a manifest the model states `quantize`")
    if of_hosts:
        if len(words) != 1 or gpus or backend is not None:
            raise UsageError("name the model of the manifest, and no GPU: `fit MANIFEST MODEL`")
        from xgen_deploy.cli.fit_hosts import fit_hosts

        return fit_hosts(settings, words[0], fleet)
    if gpus:
        if words:
            raise UsageError("with `--gpu` no engine's options are taken")
        from xgen_deploy.cli.fit_here import fit_here

        return fit_here(settings, gpus, backend, quantize)
    if backend is None:
        raise UsageError("state a `--gpu` such as 24G, or a `--backend` and its options after `--`")
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
