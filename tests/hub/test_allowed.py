import pytest

from xgen_deploy.hub.allowed import is_allowed
from xgen_deploy.state.source import parse_source

SITE = "https://files.example.net/"


@pytest.mark.parametrize(
    ("source", "allow", "allowed"),
    [
        ("Qwen/Qwen3-8B", None, True),
        ("Qwen/Qwen3-8B", (), False),
        ("Qwen/Qwen3-8B", ("Qwen/*",), True),
        ("https://huggingface.co/Qwen/Qwen3-8B", ("Qwen/*",), True),
        ("qwen/Qwen3-8B", ("Qwen/*",), False),
        ("Qwenx/Qwen3-8B", ("Qwen/*",), False),
        ("https://files.example.net/a/m.gguf", (SITE,), True),
        ("https://files.example.net/a/m.gguf", ("Qwen/*", "https://files.example.net"), True),
        ("https://files.example.net:443/m.gguf", (SITE,), True),
        ("https://files.example.net:8443/m.gguf", (SITE,), False),
        ("https://files.example.net.evil.net/m.gguf", ("https://files.example.net",), False),
        ("https://files.example.net@evil.net/m.gguf", ("https://files.example.net",), False),
        ("https://files.example.net/good/m.gguf", (SITE + "good/",), True),
        ("https://files.example.net/goodness/m.gguf", (SITE + "good",), False),
        ("https://files.example.net/good/../bad/m.gguf", (SITE + "good/",), False),
        ("https://files.example.net/good/%2e%2e/bad/m.gguf", (SITE + "good/",), False),
        ("https://files.example.net/m.gguf", ("https://*",), False),
        ("https://files.example.net/m.gguf", ("*",), False),
    ],
)
def test_what_fetch_allow_names(source: str, allow: tuple[str, ...] | None, allowed: bool) -> None:
    assert is_allowed(parse_source(source), allow) is allowed
