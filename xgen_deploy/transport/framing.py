"""How a program and its request travel to a host's Python, and how its document comes back.

Pure. The host runs `python3 -I -S -c STUB`; everything else goes through stdin, so that nothing is
written to the host's disks or shown in its process list. Lines before the marker are skipped
(`sudo -S` may leave a password line there), and the document is found among the output of login
banners and profiles. A shell program follows the Python one, for a host whose Python is missing or
cannot run it; otherwise it is never read.
"""

import re
import zlib
from functools import lru_cache
from itertools import islice

from xgen_deploy.state.host_python import INCOMPLETE, OLDEST, TOO_OLD

MARKER = b"XGEN-PROBE 1"
DOCUMENT = b"XGEN-DOC"
SHELL = b"XGEN-SH 1"

# How many possible starts of a document are tried: a banner may contain one.
_FRAMES = 16

# One line without single quotes: `command.line` quotes it once.
STUB = (
    "import sys;sys.dont_write_bytecode=True;i=sys.stdin.buffer;"
    'any(l.strip()==b"XGEN-PROBE 1" for l in iter(i.readline,b"")) or sys.exit(97);'
    "n=[int(x) for x in i.readline().split()];"
    "exec(i.read(n[0]).decode())"
)

# Runs in the stub's names (`i`: stdin, `n`: lengths). Plain enough for Python 3.6.
_LOADER = """
import os
PROGRAM, REQUEST = i.read(n[1]), i.read(n[2])
OUT = os.dup(1)


def _send(document, check):
    frame = ("\\nXGEN-DOC %d %s\\n" % (len(document), check)).encode() + document + b"\\n"
    while frame:
        frame = frame[os.write(OUT, frame):]


def _refuse(error, missing):
    version = "%d.%d" % sys.version_info[:2]
    answer = '{"error": "python-%s", "missing": "%s", "python": "%s"}'
    _send((answer % (error, missing, version)).encode(), "-")


def _cannot(error, missing):
    if len(n) < 4:
        return _refuse(error, missing)
    version = sys.version.split()[0]
    why = TOO_OLD % version if error == "old" else INCOMPLETE % (version, missing)
    _become_shell(i.read(n[3]), why, version)


def _become_shell(program, why, version):
    import _signal
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)  # Python ignores it, and a shell must not
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        while program:
            program = program[os.write(write_end, program):]
        os._exit(0)
    os.dup2(read_end, 0)
    os.close(write_end)
    os.execv("/bin/sh", ["sh", "-c", SHELL, "xgen-deploy", why, version])


def _start():
    if sys.version_info < OLDEST:
        return _cannot("old", "%d.%d" % OLDEST)
    if len(REQUEST) != n[2]:
        return _refuse("input", "%d bytes" % (n[1] + n[2] - len(PROGRAM) - len(REQUEST)))
    for name in NEEDED:
        if not any(finder.find_spec(name) for finder in sys.meta_path):
            return _cannot("incomplete", name)
    import gc, zlib
    gc.disable()  # it runs for a moment
    source = compile(zlib.decompress(PROGRAM), "<sent>", "exec")
    emit = lambda document: _send(document, "%08x" % zlib.crc32(document))
    exec(source, {"__name__": "__sent__", "REQUEST": REQUEST, "emit": emit})


_start()
"""

# Modules of the standard library that the probe imports and a minimal Python may lack.
NEEDED = (
    "zlib",
    "json",
    "http",
    "socket",
    "struct",
    "subprocess",
    "hashlib",
    "xmlrpc",
)


# Starts the shell program, with the variables `why` and `python` that it puts into its document.
_READ_SHELL = 'why=$1 python=$2; read -r l; read -r l; eval "$(gzip -dc)"'


def encode(program: bytes, request: bytes, shell: bytes = b"") -> bytes:
    """The stub's stdin: Python source `program`, which reads its request from the bytes `REQUEST`
    and answers with `emit(document)`. Anything after that on stdin is for the program.

    `shell` is gzipped POSIX sh source that prints the document where `program` cannot run; its
    variable `why` has the reason and `python` Python's version, if any.
    """
    names = {
        "NEEDED": NEEDED,
        "SHELL": _READ_SHELL,
        "OLDEST": OLDEST,
        "TOO_OLD": TOO_OLD,
        "INCOMPLETE": INCOMPLETE,
    }
    stated = "\n".join(f"{name} = {value!r}" for name, value in names.items())
    loader = f"{stated}{_LOADER}".encode()
    lengths = [len(loader), len(packed(program)), len(request)]
    appended = b""
    if shell:
        appended = b"\n%s\n%s" % (SHELL, shell)
        lengths.append(len(appended))
    numbers = " ".join(map(str, lengths)).encode()
    return b"\n".join((MARKER, numbers, loader + packed(program) + request)) + appended


@lru_cache(maxsize=1)
def packed(program: bytes) -> bytes:
    """A program as it is sent: the same for all hosts of a run."""
    return zlib.compress(program, 9)


def decode(stdout: bytes) -> bytes:
    """The document in a host's output. Raises ValueError where there is no whole one."""
    cut = None
    frames = re.finditer(rb"(?:^|\n)" + DOCUMENT + rb" (\d{1,12}) ([0-9a-f]{8}|-)\n", stdout)
    for frame in islice(frames, _FRAMES):
        length, check = int(frame[1]), frame[2]
        body = stdout[frame.end() : frame.end() + length]
        if len(body) < length:
            cut = f"the answer was cut short: {len(body)} of {length} bytes arrived"
        elif check != b"-" and check != b"%08x" % zlib.crc32(body):
            cut = "the answer was damaged in transit: its checksum does not match"
        else:
            return body
    raise ValueError(cut or _no_document(stdout))


def _no_document(stdout: bytes) -> str:
    if not stdout.strip():
        return "the host's Python printed nothing"
    shown = stdout.strip().splitlines()[0][:120].decode(errors="replace")
    return f"the host's Python sent no answer; its output begins with `{shown}`"
