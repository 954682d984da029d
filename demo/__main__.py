"""`python -m demo`: what `make demo` does, and `python -m demo down`, which undoes it."""

import sys

from demo import ask, tool
from demo.machine import this_machine, why_not
from demo.payload import bring
from demo.problem import DemoError

_PROMPT = "Water boils at"


def main(words: list[str]) -> int:
    """The exit code."""
    try:
        if words == ["down"]:
            tool.call("destroy", "-y")
        else:
            _demo()
    except DemoError as problem:
        print(f"\ndemo: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped; `make demo` goes on from here", file=sys.stderr)
        return 1
    return 0


def _demo() -> None:
    if reason := why_not(this_machine()):
        raise DemoError(reason)
    bring(_say)
    print()
    tool.call("apply", "-y")
    endpoint = tool.endpoint()
    _say(f"\nAsked at {endpoint}/completions: {_PROMPT} ...")
    print(f"The model says: {_PROMPT}{ask.complete(endpoint, _PROMPT, 24)}\n")
    print(f"What runs:      {tool.command('status')}")
    print(f"Take it down:   {tool.command('destroy', '-y')}    (or `make demo-down`)")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
