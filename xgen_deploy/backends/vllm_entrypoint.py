"""The programs by which images start vLLM, and how each is told its model.

Its official images: `python3 -m vllm.entrypoints.openai.api_server` until v0.11 (vllm#27389), then
`vllm serve`; `vllm-nonroot-entrypoint.sh` ends in that (docker/entrypoints of vLLM).
"""

from xgen_deploy.backends.entrypoint import Program, StartsNothing, program_of

_COMMANDS = frozenset({"vllm", "vllm.entrypoints.cli.main"})
_API_SERVER = "vllm.entrypoints.openai.api_server"
_API_SERVER_FILE = "openai/api_server.py"
_NO_ROOT = "vllm-nonroot-entrypoint.sh"
PROGRAMS = frozenset({*_COMMANDS, _API_SERVER, _NO_ROOT})
# vLLM's first server, whose API was its own.
NOT_SERVING = frozenset({"vllm.entrypoints.api_server"})


def serves_by(program: Program) -> bool:
    if program.name in _COMMANDS:
        return program.arguments[:1] in ((), ("serve",))
    return program.name in PROGRAMS or program.name.endswith(_API_SERVER_FILE)


def needs_serve(entrypoint: tuple[str, ...]) -> bool:
    """Whether it is `vllm` without a command."""
    program = _known(entrypoint)
    return program is not None and program.name in _COMMANDS and not program.arguments


def takes_model_option(entrypoint: tuple[str, ...]) -> bool:
    """Whether the model is `--model`; it would serve another one where it is only a word."""
    program = _known(entrypoint)
    return program is not None and (
        program.name == _API_SERVER or program.name.endswith(_API_SERVER_FILE)
    )


def _known(entrypoint: tuple[str, ...]) -> Program | None:
    try:
        return program_of(entrypoint)
    except StartsNothing:
        return None
