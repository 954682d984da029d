"""The command line: its commands, help page and exit codes. A command is imported when called."""

import gc
import importlib
import os
import signal
import sys

import click
from click.shell_completion import CompletionItem

from xgen_deploy import __version__
from xgen_deploy.cli.json_output import JsonOutput
from xgen_deploy.cli.outlet import close_outlets, open_outlets, went_away
from xgen_deploy.documents.error_entry import ErrorEntry, entries_of
from xgen_deploy.errors import XgenError
from xgen_deploy.faults import what_failed
from xgen_deploy.visible import printable

_COMMANDS = {
    "init": "Write a first manifest and inventory.",
    "validate": "Check a manifest and its inventory; no host is contacted.",
    "schema": "Print the JSON Schema of manifests, for editors.",
    "completion": "Print the completion script of bash, zsh or fish.",
    "fit": "Tell what a model takes of memory, and what fits.",
    "gpus": "Show each host's GPUs, what it can run and what is missing.",
    "render": "Show the exact commands, units and containers.",
    "plan": "Show what would change, field by field, and why. Changes nothing.",
    "show": "Show a saved plan.",
    "fetch": "Bring the models that hosts lack, before an apply.",
    "bundle": "Put all that a site needs into one signed file, for behind the wall.",
    "apply": "Apply the manifest and verify every model with a real request.",
    "lock": "Write down what a manifest's sources are; applies take exactly that.",
    "status": "Show what runs, as the engines report it.",
    "verify": "Verify that every instance is what the manifest says.",
    "accept": "Record what models answer now, for later changes to be held to.",
    "ask": "Ask a model one question, from this machine.",
    "logs": "Show the logs of instances and of the gateway.",
    "stop": "Stop instances until `start`.",
    "start": "Start stopped instances.",
    "restart": "Restart instances.",
    "cordon": "Take a host or a GPU out of service.",
    "uncordon": "Put it back, after a proof.",
    "projects": "Show whose instances, ports and GPUs are on hosts; no manifest is needed.",
    "models": "Show the models on hosts and who uses them; remove those that nobody does.",
    "config": "Print a manifest as merged, or as a host kept it of its last apply.",
    "serve": "Answer the management API, and show the fleet in a browser.",
    "metrics-targets": "Print the exporters of hosts, for other Prometheus servers.",
    "support": "Write a text file for a ticket, without secrets and prompts.",
    "history": "Show a project's applies and how they ended.",
    "rollback": "Go back to an earlier apply, verified in the same way.",
    "unlock": "Release the lock of an apply that no longer runs.",
    "destroy": "Remove a project from its hosts; model files stay.",
}
_SECTIONS = (
    ("Getting started", ("init", "validate", "schema", "completion")),
    (
        "Inspecting",
        (
            "gpus",
            "fit",
            "render",
            "lock",
            "plan",
            "show",
            "status",
            "verify",
            "ask",
            "accept",
            "logs",
            "history",
            "models",
            "config",
            "projects",
            "metrics-targets",
            "support",
            "bundle",
            "serve",
        ),
    ),
    (
        "Changing",
        (
            "fetch",
            "apply",
            "rollback",
            "stop",
            "start",
            "restart",
            "cordon",
            "uncordon",
            "unlock",
            "destroy",
        ),
    ),
)
# Commands that share a module; every other one is `command` in the module of its name.
_MODULES = {
    **dict.fromkeys(("stop", "start", "restart"), "maintain"),
    **dict.fromkeys(("cordon", "uncordon"), "cordon"),
}
_INTERRUPTED = 130  # 128 and the number of SIGINT, as a shell says it
_FOLDER = "-C"
COMPLETING = "_XGEN_DEPLOY_COMPLETE"  # set by the shell; click's name for it
_CHANGING = frozenset(dict(_SECTIONS)["Changing"])


class Commands(click.Group):
    """Imports a command's module only when it is called, so that `--help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        shared = _MODULES.get(cmd_name)
        module_name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"xgen_deploy.cli.commands.{shared or module_name}")
        command: click.Command = getattr(module, cmd_name if shared else "command")
        if COMPLETING in os.environ:
            from xgen_deploy.cli.suggestions import suggest_values

            suggest_values(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Without the commands' modules."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        names = {n: what for n, what in _COMMANDS.items() if n.startswith(incomplete)}
        return [CompletionItem(name, help=what) for name, what in names.items()]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, command, rest = super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"there is no command `{args[0]}`.{hint}", ctx) from error
        output = ctx.find_object(JsonOutput)
        if output is not None:
            output.command = name or ""
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(n, _COMMANDS[n]) for n in names], col_max=16)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `xgen-deploy init`, then `xgen-deploy plan manifests/first.yaml`. "
    "Every command has --help. "
    "`xgen-deploy completion bash` (zsh, fish) completes files and names too.",
)
@click.option(
    _FOLDER,
    "folders",
    metavar="DIR",
    multiple=True,
    help="Run as if started in DIR.",
)
@click.version_option(__version__, prog_name="xgen-deploy")
def main(folders: tuple[str, ...]) -> None:
    """Deploys language models to your own GPU servers, over SSH.

    A YAML manifest states the models, GPUs and layers of each host. `plan` shows what would change.
    `apply` carries it out, verifies every model with a real request and the engine's own report,
    and puts the previous version back where that fails.

    Where MANIFEST is left out, it is $XGEN_MANIFEST, else ./xgen.yaml.
    """
    for folder in folders:
        try:
            os.chdir(folder)
        except OSError as error:
            raise click.UsageError(f"{_FOLDER} {folder}: {error.strerror}") from None


if COMPLETING in os.environ:
    from xgen_deploy.cli.suggestions import suggest_values

    suggest_values(main)


def command_of(words: list[str]) -> str:
    """The command's name, after the options that stand before it; "" where there is none."""
    for at, word in enumerate(words):
        if not word.startswith("-") and (at == 0 or words[at - 1] != _FOLDER):
            return word
    return ""


def run(argv: list[str] | None = None) -> None:
    """The entry point. Every error is a sentence and an exit code, never a traceback."""
    gc.set_threshold(200_000, 50, 50)  # imports make many objects and no garbage: 60 ms
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = sys.argv[1:] if argv is None else argv
    changing = command_of(words) in _CHANGING
    open_outlets(lasting=changing)
    if changing and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        # A closed terminal stops no change. A handler, because children would inherit SIG_IGN.
        signal.signal(signal.SIGHUP, lambda *_: None)
    code = _run(words)
    failure = close_outlets()
    if failure is not None and not changing:
        code = 1
        if not went_away(failure):
            _say(f"xgen-deploy: standard output cannot be written: {failure.strerror}")
            close_outlets()
    gc.freeze()  # what is left goes with the process: 50 ms less to look through
    sys.exit(code)


def _run(words: list[str]) -> int:
    output = JsonOutput(words)
    code = _run_command(words, output)
    try:
        output.close(code)
    except Exception as error:  # noqa: BLE001 - the reader gets a sentence
        _say_fault(error)
        code = 1
    return code


def _run_command(words: list[str], output: JsonOutput) -> int:
    """Errors are said, and added to `output`."""
    try:
        code = main.main(
            args=words or ["--help"], prog_name="xgen-deploy", standalone_mode=False, obj=output
        )
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except click.UsageError as error:
        output.error(_say_usage(error, words))
        code = 1
    except click.ClickException as error:
        _say(f"xgen-deploy: {error.format_message()}")
        output.error(ErrorEntry(message=error.format_message()))
        code = 1
    except (click.Abort, KeyboardInterrupt) as ending:
        # Answering no is an Abort without a cause.
        by_signal = isinstance(ending, KeyboardInterrupt) or ending.__cause__ is not None
        sentence = _interruption(words, by_signal=by_signal)
        _say(("\n" if by_signal else "") + f"xgen-deploy: {sentence}")
        output.error(ErrorEntry(message=sentence))
        output.cut_short = True
        code = _INTERRUPTED if by_signal else 1
    except XgenError as error:
        _say(str(error))
        for entry in entries_of(error):
            output.error(entry)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - the reader gets a sentence
        output.error(ErrorEntry(message=_say_fault(error)))
        output.cut_short = True
        code = 1
    return code if isinstance(code, int) else 0


def _say(text: str) -> None:
    """Print to standard error; the text may come from a host."""
    print(printable(text), file=sys.stderr)


def _say_fault(error: Exception) -> str:
    """A bug; nothing is said where standard output could not be written."""
    sentence = f"xgen-deploy itself failed ({what_failed(error)}). Please report it."
    if close_outlets() is not error:
        _say(sentence)
    return sentence


def _interruption(words: list[str], *, by_signal: bool) -> str:
    if not by_signal:
        return "nothing was done"
    command = command_of(words)
    if command == "fetch":
        return "interrupted; the next fetch or apply goes on where it was"
    changing = command in {"apply", "rollback", "destroy", "uncordon"}
    return "interrupted" + ("; the next apply finishes what this one began" if changing else "")


def _say_usage(error: click.UsageError, words: list[str]) -> ErrorEntry:
    """That of an option without its value does not know its command."""
    named = command_of(words)
    known = f"xgen-deploy {named}" if named in _COMMANDS else "xgen-deploy"
    command = error.ctx.command_path if error.ctx else known
    message, way_out = error.format_message(), f"Run `{command} --help` for its usage."
    _say(f"{command}: {message}\n{way_out}")
    return ErrorEntry(message=message, way_out=way_out)
