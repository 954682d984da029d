import subprocess
import sys

import pytest

from xgen_deploy.transport.framing import STUB, decode, encode


def frame(document: bytes) -> bytes:
    """What a host's Python really prints for a document."""
    program = b"emit(REQUEST)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", STUB],
        input=encode(program, document),
        capture_output=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"Welcome!\nXGEN-DOC is not it\n", b"\nlogout\n"),
        (b"no line end", b""),
        (b"XGEN-DOC 4 00000000\nfake", b""),
    ],
)
def test_the_document_is_found_amid_noise(before: bytes, after: bytes) -> None:
    document = b'{"a": "\xc3\xbc"}\nXGEN-DOC 1 -\nx'
    assert decode(before + frame(document) + after) == document


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [
        (b"", "printed nothing"),
        (b"This account is disabled.\n", "begins with `This account is disabled.`"),
        (frame(b"x" * 100)[:-10], "cut short: 91 of 100 bytes"),
        (frame(b"x" * 100).replace(b"xxx", b"xyx"), "damaged"),
    ],
)
def test_no_document_has_a_reason(stdout: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode(stdout)


def run(stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", STUB], input=stdin, capture_output=True
    )


def test_lines_before_the_marker_are_skipped() -> None:
    sent = b"a password\n" + encode(b"emit(b'fine')", b"")
    assert decode(run(sent).stdout) == b"fine"


def test_a_program_may_go_on_reading() -> None:
    sent = encode(b"import sys; emit(sys.stdin.buffer.readline())", b"") + b"more\n"
    assert decode(run(sent).stdout) == b"more\n"


def test_an_input_that_never_begins_ends_the_stub() -> None:
    assert run(b"nonsense\n").returncode == 97


def test_an_input_that_ends_early_is_told() -> None:
    assert b'"error": "python-input"' in decode(run(encode(b"pass", b"request")[:-3]).stdout)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            (b"NEEDED = ('zlib'", b"NEEDED = ('no_such'"),
            b'"python-incomplete", "missing": "no_such"',
        ),
        (
            (b"'xmlrpc'", b"'no_pkg'"),
            b'"python-incomplete", "missing": "no_pkg"',
        ),
        ((b"OLDEST = (3", b"OLDEST = (9"), b'"error": "python-old", "missing": "9.8"'),
    ],
)
def test_a_python_that_cannot_run_the_probe_says_so(
    change: tuple[bytes, bytes], found: bytes
) -> None:
    sent = encode(b"emit(b'')", b"")
    line = sent.splitlines()[1]
    longer = len(change[1]) - len(change[0])
    first, rest = line.split(b" ", 1)
    sent = sent.replace(line, b"%d %s" % (int(first) + longer, rest), 1).replace(*change)
    assert found in decode(run(sent).stdout)


def test_the_stub_is_quoted_trivially() -> None:
    assert not set("'\\\n!") & set(STUB)
