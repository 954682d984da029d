"""A projector, a draft model, an adapter and a template: the engine uses all of them."""

from __future__ import annotations

import base64
import json
import struct
import urllib.request
import zlib
from pathlib import Path

from tests.lab import tiny_beside
from tests.lab.site import Site
from tests.process.conftest import PORT


def _picture(side: int = 28) -> str:
    """A red PNG, as the address that a request carries it in."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * side) * side))
    png = b"\x89PNG\r\n\x1a\n" + head + rows + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _ask(content: object) -> dict[str, int]:
    """The usage of an answer, asked for by the model's alias."""
    body = {"model": "gpt-4o", "max_tokens": 4, "messages": [{"role": "user", "content": content}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        usage: dict[str, int] = json.load(answer)["usage"]
    return usage


def test_an_image_is_looked_at_and_a_draft_is_used(site: Site, model: Path, tmp_path: Path) -> None:
    adapter, projector = tmp_path / "lora.gguf", tmp_path / "mmproj.gguf"
    template = tmp_path / "chat.jinja"
    tiny_beside.write_adapter(adapter)
    tiny_beside.write_projector(projector)
    template.write_text(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    )
    site.models["tiny"] |= {
        "mmproj": str(projector),
        "draft": {"source": str(model), "tokens": 2},
        "loras": {"law": {"source": str(adapter), "scale": 0.5}},
        "chat_template": str(template),
        "aliases": ["gpt-4o"],
    }
    site.apply()
    (row,) = site.run("status", "--json").json()["models"]
    assert row["draft"]["used"]
    words = [{"type": "text", "text": "Hello"}]
    picture = [{"type": "image_url", "image_url": {"url": _picture()}}]
    assert _ask([*words, *picture])["prompt_tokens"] > _ask(words)["prompt_tokens"]
    site.plan(0)
    projector.write_bytes(projector.read_bytes())
    (operation,) = site.plan(2).operations("here")
    assert operation["cause"] == "changed: the content of mmproj"
    projector.unlink()
    assert f"projector {projector}: is not there" in site.plan(1).refusals("here")
