"""`python -m tests.lab`: a lab to play with."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable

from tests.lab import access, claim, lab, machine, places
from tests.lab.process import LabError
from tests.lab.spec import CATALOGUE, STANDARD


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    names = f"one or more of {', '.join(CATALOGUE)}"
    add = commands.add_parser("up", help="bring hosts up")
    add.add_argument("hosts", nargs="*", default=list(STANDARD), help=names)
    add.set_defaults(act=lambda given: _up(given.hosts))
    add = commands.add_parser("down", help="take hosts down, unless named all but test runs' own")
    add.add_argument("hosts", nargs="*", help=names)
    add.set_defaults(act=lambda given: _down(given.hosts))
    add = commands.add_parser("status", help="which hosts there are")
    add.set_defaults(act=lambda _: _status())
    add = commands.add_parser("shell", help="a root shell inside a host")
    add.add_argument("host")
    add.set_defaults(act=lambda given: _shell(given.host))
    add = commands.add_parser("clean", help="take all down and delete the cache")
    add.set_defaults(act=lambda _: _clean())
    given = parser.parse_args()
    act: Callable[[argparse.Namespace], None] = given.act
    try:
        act(given)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def _up(names: list[str]) -> None:
    for host in lab.up(names):
        print(f"{host.name:14} {host.address:15} ssh -F {access.config_path()} {host.name}")
    print(f"\nlogins deploy, banner (sudo without a password), askpass ({places.ASKPASS_PASSWORD})")
    print(f"engine {places.ENGINE}\nmodel  {places.MODEL}\nimage  {places.IMAGE}")


def _status() -> None:
    running = lab.running()
    for name in lab.existing():
        print(f"{name:14} {CATALOGUE[name].address:15} {'up' if name in running else 'ended'}")


def _shell(name: str) -> None:
    argv = machine.enter(name, ["/bin/bash", "-l"])
    os.execvp(argv[0], argv)  # noqa: S606  # the shell replaces this process on purpose


def _down(names: list[str]) -> None:
    if names:
        lab.down(names)
        return
    for number in places.numbers():
        if claim.is_taken(number):
            print(f"lab {number} is left alone: a test run uses it")
            continue
        os.environ[places.NUMBER_VARIABLE] = str(number)
        lab.down()


def _clean() -> None:
    _down([])
    shutil.rmtree(places.cache_dir(), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
