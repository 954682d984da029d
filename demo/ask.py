"""One completion over the OpenAI-style interface."""

import json
import urllib.request

from demo.problem import DemoError

_SECONDS = 120


def complete(endpoint: str, prompt: str, tokens: int) -> str:
    """What the model goes on with. `endpoint` ends in /v1. Raises DemoError."""
    body = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "stop": ["\n"]}
    request = urllib.request.Request(  # noqa: S310  # an address that the tool reported
        f"{endpoint}/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    # A proxy for the internet has no part in this machine's own addresses.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return str(json.load(answer)["choices"][0]["text"])
    except (OSError, ValueError, LookupError) as error:
        raise DemoError(f"{endpoint}/completions gave no completion: {error}") from error
