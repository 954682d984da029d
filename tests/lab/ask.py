"""Requests to an engine on a lab host, from this machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.lab.host import LabHost


def post(
    host: LabHost, port: int, path: str, body: Mapping[str, Any], *, key: str | None = None
) -> Any:
    """The answer's JSON. Raises urllib.error.HTTPError."""
    request = urllib.request.Request(
        f"http://{host.address}:{port}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"}
        | ({"Authorization": f"Bearer {key}"} if key else {}),
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def completion(host: LabHost, port: int, *, model: str = "gemma", key: str | None = None) -> str:
    """The text of a short completion. Raises urllib.error.HTTPError."""
    body = {"model": model, "prompt": "The capital of France is", "max_tokens": 6}
    text: str = post(host, port, "/v1/completions", body, key=key)["choices"][0]["text"]
    return text


def status_of(host: LabHost, port: int) -> int:
    """The HTTP status of a completion without a key; 0 where nothing answers."""
    try:
        completion(host, port)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
    return 200
