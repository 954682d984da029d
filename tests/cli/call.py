"""The tool as a test calls it where no host is needed."""

import pytest

from xgen_deploy.cli.main import run

Capsys = pytest.CaptureFixture[str]


def call(capsys: Capsys, *words: str) -> tuple[int, str]:
    """The exit code, and all that was printed."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ending:
        run(list(words))
    out, err = capsys.readouterr()
    return int(ending.value.code or 0), out + err
