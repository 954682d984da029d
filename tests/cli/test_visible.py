"""What a host says is shown so that it can be seen, wherever it comes out."""

import json

import pytest

from xgen_deploy.visible import VisibleStream, json_text, visible

HOSTILE = {
    "\x1b[2J": r"\x1b[2J",
    "\r": r"\x0d",
    "\x00": r"\x00",
    "\x7f": r"\x7f",
    "\x9b31m": r"\x9b31m",
    "\u202e": r"\u202e",
    "\u2066": r"\u2066",
    "\u200e\u061c": r"\u200e\u061c",
    "\u200b\u200d\u2060\ufeff": r"\u200b\u200d\u2060\ufeff",
    "\u2028\u2029": r"\u2028\u2029",
    "\udc80": r"\udc80",
    "a\tb\nc ä 日本": "a\tb\nc ä 日本",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=HOSTILE.values())
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_escapes_it_and_reads_back_the_same(text: str, indent: int | None) -> None:
    written = json_text({"log": [text]}, indent=indent)
    assert visible(written) == written
    assert json.loads(written) == {"log": [text]}


def test_a_stream_is_decoded_across_its_pieces() -> None:
    stream = VisibleStream()
    whole = "ä日\u202e\x1b[31m".encode() + b"\xff\xc3"
    shown = "".join(stream.add(whole[n : n + 1]) for n in range(len(whole)))
    shown += stream.add(b"", last=True)
    assert shown == r"ä日\u202e\x1b[31m\xff\xc3"
