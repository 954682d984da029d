"""What a stranger, a stranger's page and a stranger's name are answered."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from tests.serve.conftest import ADDRESS, Serve, routes, users
from tests.serve.credentials import PASSWORD, TOKEN, TOKEN_HASH
from xgen_deploy.serve.security.login_link import LASTS
from xgen_deploy.serve.security.sessions import IDLE, LONGEST
from xgen_deploy.serve.settings import Asked, serve_settings
from xgen_deploy.state import serve as stated

OPEN = {"/healthz", "/login", "/login/link", "/api/login"}
GPUS = "/api/management/gpus"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def clock_of(browser: TestClient) -> Clock:
    clock = Clock()
    context = browser.app.state.context  # type: ignore[attr-defined]
    for part in (context.sessions, context.login_link, context.rate_limit):
        part._clock = clock
    return clock


def paths() -> list[tuple[str, str]]:
    return [(method, route.path) for route in routes() for method in route.methods or ()]


def test_nothing_but_the_login_is_open_to_a_stranger(serve: Serve) -> None:
    served = serve()
    browser = served.browser()
    for method, path in paths():
        if path in OPEN or path.startswith("/static"):
            continue
        answer = browser.request(method, path)
        assert answer.status_code in (401, 303), (method, path, answer.status_code)
        assert answer.headers["content-security-policy"].startswith("default-src 'none';")


@pytest.mark.parametrize("path", ["/healthz", GPUS, "/nothing", "/login/link?t=x"])
def test_every_answer_has_the_headers(serve: Serve, path: str) -> None:
    headers = serve().browser().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "10.0.0.1:8765", "",
     "localhost:8765.evil.example", "localhost:8765@evil.example"],
)  # fmt: skip
def test_a_name_that_is_not_its_own(serve: Serve, host: str) -> None:
    assert serve().by_link().get(GPUS, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "f.local"])
def test_its_own_names(serve: Serve, host: str) -> None:
    served = serve(serve={"hosts": ["f.local"]})
    assert served.browser().get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1:8765.evil.example"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_changes_nothing_with_somebodys_cookie(
    serve: Serve, headers: dict[str, str]
) -> None:
    browser = serve().by_link()
    assert browser.post("/api/logout", headers=headers).status_code == 403
    assert browser.get("/api/session").status_code == 200


def test_another_page_reads_nothing_with_somebodys_cookie(serve: Serve) -> None:
    browser = serve().by_link()
    asked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert browser.get(GPUS, headers=asked).status_code == 403


def test_a_change_needs_the_sessions_own_token(serve: Serve) -> None:
    browser = serve().by_link()
    for token in ("", "x", "é"):
        sent = {"X-CSRF-Token": token.encode()}
        assert browser.post("/api/logout", headers=sent).status_code == 403  # type: ignore[arg-type]
    assert browser.post("/api/logout").status_code == 200
    assert browser.get(GPUS).status_code == 401


def test_a_link_logs_in_once(serve: Serve) -> None:
    served = serve()
    link = served.context.new_login_link() or ""
    first = served.browser().get(link)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    again = served.browser()
    assert again.get(link).headers["location"] == "/login"
    assert again.get(GPUS).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "%00", "é" * 100])
def test_a_link_that_was_made_up(serve: Serve, token: str) -> None:
    served = serve()
    served.context.new_login_link()
    browser = served.browser()
    assert "set-cookie" not in browser.get(f"/login/link?t={token}").headers
    assert browser.get(GPUS).status_code == 401


def test_a_link_that_is_too_old(serve: Serve) -> None:
    served = serve()
    browser = served.browser()
    clock = clock_of(browser)
    link = served.context.new_login_link() or ""
    clock.now += LASTS + 1
    assert "set-cookie" not in browser.get(link).headers


def test_a_cookie_that_was_made_up_or_belongs_to_an_ended_session(serve: Serve) -> None:
    served = serve()
    browser = served.by_link()
    name = served.context.cookie_name
    cookie = browser.cookies[name]
    browser.post("/api/logout")
    for value in ("x", cookie, cookie + "x", "%ff;", "a" * 5000):
        stranger = served.browser(Cookie=f"{name}={value}")
        assert stranger.get(GPUS).status_code == 401


def test_a_session_ends_when_nobody_is_there_and_at_the_end_of_the_day(serve: Serve) -> None:
    served = serve()
    clock = clock_of(served.browser())
    browser = served.by_link()
    for _ in range(int(LONGEST // (IDLE - 60))):
        clock.now += IDLE - 60
        assert browser.get("/api/session").status_code == 200
    clock.now += IDLE - 60
    assert browser.get("/api/session").status_code == 401
    browser = served.by_link()
    clock.now += IDLE + 1
    assert browser.get("/api/session").status_code == 401


def test_logins_that_fail_make_the_next_one_wait(serve: Serve) -> None:
    served = serve(serve=users(kim={"role": "admin"}))
    browser = served.browser()
    clock = clock_of(browser)
    wrong, right = ({"name": "kim", "password": p} for p in ("wrong", PASSWORD))
    assert [browser.post("/api/login", json=wrong).status_code for _ in range(5)] == [401] * 5
    waits = browser.post("/api/login", json=right)
    assert waits.status_code == 429
    clock.now += float(waits.headers["retry-after"])
    assert browser.post("/api/login", json=right).status_code == 200
    assert all(PASSWORD not in line and "wrong" not in line for line in served.said)


def test_logins_that_fail_at_the_same_time_count_too(serve: Serve) -> None:
    browser = serve(serve=users(kim={"role": "admin"})).browser()
    wrong = {"name": "kim", "password": "wrong"}
    with ThreadPoolExecutor(12) as many:
        tried = [many.submit(browser.post, "/api/login", json=wrong) for _ in range(12)]
        statuses = Counter(t.result().status_code for t in tried)
    assert statuses[401] <= 6  # two are looked at at once
    assert statuses[429] >= 6


def test_an_unknown_name_is_answered_as_a_wrong_password_is(serve: Serve) -> None:
    browser = serve(serve=users(kim={"role": "admin"})).browser()
    answers = [browser.post("/api/login", json={"name": n, "password": "x"}) for n in ("kim", "x")]
    assert answers[0].text == answers[1].text
    assert {a.status_code for a in answers} == {401}


def test_tokens_that_were_guessed_make_the_next_one_wait(serve: Serve) -> None:
    served = serve(serve={"users": {"ci": {"role": "viewer", "token_hash": TOKEN_HASH}}})
    for _ in range(5):
        guess = {"Authorization": "Bearer guess"}
        assert served.browser().get(GPUS, headers=guess).status_code == 401
    assert served.script().get(GPUS).status_code == 429


def test_a_scripts_token_needs_no_cookie(serve: Serve) -> None:
    served = serve(serve={"users": {"ci": {"role": "viewer", "token_hash": TOKEN_HASH}}})
    assert served.script().get(GPUS).status_code == 200
    assert TOKEN not in served.script().get("/api/session").text


def test_a_user_who_is_removed_is_out(serve: Serve) -> None:
    served = serve(serve=users(kim={"role": "admin"}, lee={"role": "viewer"}))
    browser = served.logged_in("kim")
    assert browser.get(GPUS).status_code == 200
    served.site.change(lambda manifest: manifest["serve"]["users"].pop("kim"))
    assert browser.get(GPUS).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/../etc/passwd", "/static/../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd",
     "/static/..%2f..%2fetc/passwd", "//etc/passwd", "/static//etc/passwd", "/static/%00"],
)  # fmt: skip
def test_paths_that_climb(serve: Serve, path: str) -> None:
    answer = serve().by_link().get(f"{ADDRESS}{path}")
    assert answer.status_code in (303, 400, 404)
    assert "root:" not in answer.text


def test_a_request_of_ten_megabytes(serve: Serve) -> None:
    browser = serve().browser()
    whole = browser.post("/api/login", content=b"x" * (10 << 20))
    assert whole.status_code == 413
    pieces = browser.post("/api/login", content=(b"x" * 65536 for _ in range(160)))
    assert pieces.status_code == 413


@pytest.mark.parametrize("listen", ["0.0.0.0", "10.0.0.1", "::"])
def test_beyond_loopback_it_needs_tls(serve: Serve, listen: str) -> None:
    with pytest.raises(Exception, match="in the clear"):
        serve(asked=Asked(listen=listen))


def test_what_is_insecure_changes_nothing(serve: Serve) -> None:
    asked = Asked(listen="0.0.0.0", changes="apply", insecure=True)
    assert serve(asked=asked).context.settings.changes == "off"


@pytest.mark.parametrize(
    ("listen", "hosts", "link"),
    [
        ("0.0.0.0", (), "http://127.0.0.1:8765"),
        ("::", (), "http://[::1]:8765"),
        ("192.0.2.7", (), "http://192.0.2.7:8765"),
        ("0.0.0.0", ("fleet.example.net",), "http://fleet.example.net:8765"),
    ],
)
def test_the_link_has_a_name_that_this_server_answers_to(
    listen: str, hosts: tuple[str, ...], link: str
) -> None:
    settings = serve_settings(stated.Serve(hosts=hosts), Asked(listen=listen, insecure=True))
    assert settings.address == link
