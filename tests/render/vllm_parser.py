"""Run by vLLM's interpreter: command lines as JSON in, what its real parser made of each out."""

import contextlib
import importlib
import io
import json
import sys


def main() -> None:
    serve = importlib.import_module("vllm.entrypoints.cli.serve")
    parser = importlib.import_module("vllm.utils.argparse_utils").FlexibleArgumentParser()
    serve.ServeSubcommand().subparser_init(parser.add_subparsers(dest="subparser"))
    answers = []
    for argv in json.load(sys.stdin):
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                parsed = vars(parser.parse_args(argv))
        except SystemExit:
            answers.append({"error": said.getvalue()[-500:]})
        else:
            answers.append({k: v for k, v in parsed.items() if _plain(v)})
    print("ANSWERS" + json.dumps(answers, default=str))


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | list | dict | bool) or value is None


if __name__ == "__main__":
    main()
