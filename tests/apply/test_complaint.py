"""What is told of an engine's last words."""

import pytest

from xgen_deploy.backends.log_errors import complaint

BIND = "start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8111"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (["0.00.018.362 I srv  start: binding", f"0.00.018.416 E srv  {BIND}"], f"srv  {BIND}"),
        (
            ["error: invalid argument: --no-such-flag", "usage: …"],
            "invalid argument: --no-such-flag",
        ),
        (
            ['error while handling argument "--rope-scaling": invalid value', "", "usage:"],
            'error while handling argument "--rope-scaling": invalid value',
        ),
        (
            ["INFO 11-21 loading", "ERROR 11-21 06:00:00 [core.py:9] out of memory"],
            "11-21 06:00:00 [core.py:9] out of memory",
        ),
        (
            ["Traceback (most recent call last):", "ValueError: no such model"],
            "ValueError: no such model",
        ),
        (
            [
                "(Worker pid=9) ERROR 11-21 [core.py:95] WorkerProc failed to start.",
                "(Worker pid=9) ERROR 11-21 [core.py:95] FileNotFoundError: No such file: /m",
                "RuntimeError: Engine core initialization failed. See root cause above.",
            ],
            "FileNotFoundError: No such file: /m",
        ),
        (["I am a little tired"], None),
        ([], None),
    ],
)
def test_the_first_error_is_told(log: list[str], said: str | None) -> None:
    assert complaint(tuple(log)) == said
