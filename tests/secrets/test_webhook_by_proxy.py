"""A webhook through the manifest's proxy, over the manifest's authority."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import certified
from tests.forward_proxy import ForwardProxy, forwarding
from tests.ports import free_port
from tests.secrets.test_resolver import site
from xgen_deploy.apply.notify import Webhook, find_webhook, notify
from xgen_deploy.secrets.resolver import SecretResolver

LOGIN = "kim:T0KEN w"
STATED = "kim:T0KEN%20w@"


class Hook(BaseHTTPRequestHandler):
    told: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert self.headers["Proxy-Authorization"] is None
        self.told.append(f"{self.path} {self.headers['Host']} {body}")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hook(tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    told: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Keeping", (Hook,), {"told": told}))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port, told
    finally:
        server.shutdown()
        server.server_close()


def found(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **fetch: Any) -> Any:
    monkeypatch.setenv("HOOK", url)
    stated = site(folder, notify={"webhook": {"env": "HOOK"}}, fetch=fetch)
    return find_webhook(stated, SecretResolver(stated))


def told_by(webhook: Any) -> str | None:
    assert isinstance(webhook, Webhook), webhook
    assert "T0KEN" not in repr(webhook)
    return notify(webhook, {"exit_code": 0}, ())


def test_https_goes_by_connect_and_only_the_server_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certified("hooks.test", tmp_path)
    proxy = ForwardProxy(login=LOGIN)
    with hook(tls.server) as (port, told), forwarding(proxy):
        proxy.secure = (port,)
        monkeypatch.setenv("PROXY", proxy.url(STATED))
        fetch = {"proxy": {"env": "PROXY"}, "ca": str(tls.authority)}
        url = f"https://hooks.test:{port}/T0KEN"
        assert told_by(found(url, tmp_path, monkeypatch, **fetch)) is None
    assert proxy.seen == [f"CONNECT hooks.test:{port}"]
    assert b"T0KEN" not in proxy.carried
    assert told == [f'/T0KEN hooks.test:{port} {{"exit_code": 0, "events": []}}']


def test_http_goes_by_its_whole_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many a proxy allows CONNECT for https alone."""
    with hook() as (port, told), forwarding(ForwardProxy(login=LOGIN)) as proxy:
        monkeypatch.setenv("PROXY", proxy.url(STATED))
        url = f"http://hooks.test:{port}/x?a=b"
        webhook = found(url, tmp_path, monkeypatch, proxy={"env": "PROXY"})
        assert told_by(webhook) is None
    assert proxy.seen == [f"POST {url}"]
    assert told == [f'/x?a=b hooks.test:{port} {{"exit_code": 0, "events": []}}']


def test_what_is_inside_needs_no_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hook() as (port, told), forwarding(ForwardProxy()) as proxy:
        url = f"http://127.0.0.1:{port}/x"
        assert told_by(found(url, tmp_path, monkeypatch, proxy=proxy.url())) is None
    assert (proxy.seen, len(told)) == ([], 1)


def test_the_authority_is_trusted_without_a_proxy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certified("localhost", tmp_path)
    with hook(tls.server) as (port, told):
        url = f"https://localhost:{port}/x"
        untrusted = told_by(found(url, tmp_path, monkeypatch))
        assert untrusted == "notify.webhook: delivery failed: its certificate is not trusted"
        assert told_by(found(url, tmp_path, monkeypatch, ca=str(tls.authority))) is None
    assert len(told) == 1


@pytest.mark.parametrize(
    ("scheme", "proxy", "said"),
    [
        ("https", "http://kim:T0KEN@127.0.0.1:{open}", "`fetch.proxy` answers HTTP 407"),
        ("http", "http://kim:T0KEN@127.0.0.1:{open}", "`fetch.proxy` answers HTTP 407"),
        ("https", "http://kim:T0KEN@127.0.0.1:{closed}", "`fetch.proxy`: Connection refused"),
        ("http", "http://kim:T0KEN@T0KEN.invalid:{closed}", "`fetch.proxy`: "),
    ],
)
def test_what_the_proxy_does_is_told_as_its_own(
    scheme: str, proxy: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forwarding(ForwardProxy(login="other:login")) as running:
        monkeypatch.setenv("PROXY", proxy.format(open=running.port, closed=free_port()))
        url = f"{scheme}://hooks.test/T0KEN"
        told = told_by(found(url, tmp_path, monkeypatch, proxy={"env": "PROXY"}))
    assert told is not None
    assert told.startswith(f"notify.webhook: delivery failed: {said}")
    assert "T0KEN" not in told


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (None, "the secret's variable PROXY is not set here"),
        ("T0KEN", "`fetch.proxy` is not http://[user:password@]host:port"),
        ("http://kim:T0KEN@proxy:99999", "`fetch.proxy` is not http://[user:password@]host:port"),
    ],
)
def test_a_proxy_that_cannot_be_one_is_told_before_anything_is_done(
    proxy: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxy is not None:
        monkeypatch.setenv("PROXY", proxy)
    told = found("https://hooks.test/x", tmp_path, monkeypatch, proxy={"env": "PROXY"})
    assert isinstance(told, str)
    assert said in told
    assert told.endswith("; no notification will be sent")
    assert "T0KEN" not in told


def test_an_authority_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = found("https://hooks.test/x", tmp_path, monkeypatch, ca="/nowhere/ca.pem")
    expected = "fetch.ca: /nowhere/ca.pem cannot be read: No such file or directory"
    assert told == f"{expected}; no notification will be sent"
