"""A webhook never fails an apply, and no sentence about it shows any part of its address."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.secrets.test_resolver import site
from xgen_deploy.apply.notify import Webhook, find_webhook, notify
from xgen_deploy.secrets.resolver import SecretResolver

BAD = [
    "https://hooks.example.net/T0KEN ",
    "https://hooks.example.net/T0KEN\t",
    "https://hooks.example.net/T0KEN\x1b[2J",
    "https://hooks.example.net/T0 KEN",
    "https://hooks.example.net/T0KENü",
    "https://höoks.example.net/T0KEN",
    "https://hooks.example.net:T0KEN/",
    "https://hooks.example.net:99999/T0KEN",
    "https://hooks.example.net:0/T0KEN",
    "https://[T0KEN/",
    "https:///T0KEN",
    "ftp://hooks.example.net/T0KEN",
    "T0KEN",
    "",
]


def found(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Webhook | str | None:
    monkeypatch.setenv("HOOK", url)
    one = site(folder, notify={"webhook": {"env": "HOOK"}})
    return find_webhook(one, SecretResolver(one))


@pytest.mark.parametrize("url", BAD)
def test_a_bad_address_is_told_before_anything_is_done(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = found(url, tmp_path, monkeypatch)
    assert isinstance(said, str)
    assert "notify.webhook" in said
    assert "secret from env HOOK" in said
    assert "T0" not in said
    assert "example" not in said


def test_one_that_is_not_set_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = site(tmp_path, notify={"webhook": {"env": "NOT_SET"}})
    said = find_webhook(one, SecretResolver(one))
    assert isinstance(said, str)
    assert "NOT_SET is not set here" in said


class Hook(BaseHTTPRequestHandler):
    """Answers by its path."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/broken":
            self.wfile.write(b"T0KEN nonsense\r\n\r\n")
            return
        self.send_response(500 if self.path == "/angry" else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{port}/T0KEN?a=b", None),
        ("http://127.0.0.1:{port}/angry", "answered HTTP 500"),
        ("http://127.0.0.1:{port}/broken", "delivery failed: "),
        ("http://127.0.0.1:{closed}/T0KEN", "delivery failed: Connection refused"),
        ("https://127.0.0.1:{port}/T0KEN", "delivery failed: "),
        ("http://T0KEN.invalid/", "delivery failed: "),
        ("http://T0KEN%00.invalid/", "delivery failed: "),
        ("http://" + "T0KEN" * 20 + ".invalid/", "delivery failed: "),
        ("http://127.0.0.1:{port}/%0aT0KEN#x", None),
    ],
)
def test_whatever_befalls_the_request_is_a_sentence(
    url: str, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.server_address[1]
        hook = found(url.format(port=port, closed=free_port()), tmp_path, monkeypatch)
        assert isinstance(hook, Webhook)
        assert "T0KEN" not in repr(hook)
        told = notify(hook, {"exit_code": 0}, ())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (said is None) == (told is None), told
    assert said is None or (told is not None and said in told and "T0KEN" not in told)


def test_a_login_in_the_address_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = found("https://kim:p%20w@hooks.example.net/x", tmp_path, monkeypatch)
    assert isinstance(hook, Webhook)
    assert hook.headers()["Authorization"] == "Basic a2ltOnAgdw=="
