"""Changes asked of the real application; what applies them runs in this process, over the same
hosts in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from starlette.testclient import TestClient

from tests.serve.conftest import Serve, Served
from xgen_deploy.frozen import replace
from xgen_deploy.serve.changes.process import Hear
from xgen_deploy.serve.settings import Asked

APPLIES = Asked(changes="apply")
Answer = dict[str, Any]


class InThisProcess:
    """`words` are the command lines so far, with whose they were."""

    def __init__(self, served: Served) -> None:
        self._site = served.site
        self.words: list[tuple[str, ...]] = []
        self.users: list[str] = []

    def __call__(self, words: Sequence[str], user: str, hear: Hear) -> int:
        self.words.append(tuple(words))
        self.users.append(user)
        os.environ["XGEN_SERVE_USER"] = user
        try:
            with patch("signal.signal"):  # for the main thread of its process
                ran = self._site.call(*words)
        finally:
            del os.environ["XGEN_SERVE_USER"]
        self.said = ran.said
        for line in ran.out.splitlines():
            hear(line)
        return ran.code


def changing(start: Serve, *args: Any, asked: Asked = APPLIES, **manifest: Any) -> Served:
    served = start(*args, asked=asked, **{"applied": True, **manifest})
    changes = served.context.changes
    changes._editing = replace(changes.editing, runner=InThisProcess(served))
    return served


def runner_of(served: Served) -> InThisProcess:
    runner = served.context.changes.editing.runner
    assert isinstance(runner, InThisProcess)
    return runner


def text_of(served: Served) -> str:
    return (served.site.folder / "manifest.yaml").read_text()


def ask(browser: TestClient, what: str, status: int = 202, **body: Any) -> Answer:
    done = browser.post(f"/api/management/{what}", json=body)
    assert done.status_code == status, done.text
    answer: Answer = done.json()
    return answer


def apply(browser: TestClient, change: Answer, status: int = 202, **over: Any) -> Answer:
    """And waits for its end."""
    body = {"fingerprint": change["fingerprint"], "name": change["confirm"], **over}
    done = browser.post(f"/api/changes/{change['id']}/apply", json=body)
    assert done.status_code == status, done.text
    if status == 202:
        events_of(browser, change)
    answer: Answer = browser.get(f"/api/changes/{change['id']}").json()
    return answer if status == 202 else done.json()


def events_of(browser: TestClient, change: Answer) -> list[Answer]:
    text = browser.get(f"/api/changes/{change['id']}/events").text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def reason(answer: Answer) -> str:
    return str(answer["errors"][0]["message"])
