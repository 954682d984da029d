"""What a stranger tries while the manifest is wrong, or its users are others."""

from __future__ import annotations

from tests.serve.conftest import Serve, settings_of, users
from tests.serve.credentials import HASHED
from xgen_deploy.cli.serving import serve_context
from xgen_deploy.serve.settings import Asked

GPUS = "/api/management/gpus"


def test_a_manifest_with_errors_tells_strangers_nothing_of_them(serve: Serve) -> None:
    served = serve(serve=users(kim={"role": "admin"}))
    browser = served.browser()
    assert browser.get("/login").status_code == 200
    path = served.site.folder / "manifest.yaml"
    path.write_text(path.read_text() + "secrets_of_ours: 1\n")
    answer = browser.get("/login")
    assert answer.status_code == 200
    assert "secrets_of_ours" not in answer.text
    assert browser.get("/").status_code == 303


def test_a_link_is_worth_nothing_once_there_are_users(serve: Serve) -> None:
    served = serve()
    inside = served.by_link()
    link = served.context.new_login_link() or ""
    served.site.change(lambda m: m.update(serve=users(kim={"role": "viewer"})))
    browser = served.browser()
    assert browser.get(link).headers["location"] == "/login"
    assert browser.get(GPUS).status_code == 401
    assert inside.get(GPUS).status_code == 401


def test_a_user_who_is_taken_out_of_the_users_file_is_out(serve: Serve) -> None:
    served = serve()
    path = served.site.folder / "users.yaml"
    kim = f"  kim: {{role: admin, password_hash: '{HASHED}'}}\n"
    lee = f"  lee: {{role: viewer, password_hash: '{HASHED}'}}\n"
    path.write_text("users:\n" + kim + lee)
    path.chmod(0o600)
    settings = settings_of(served.site)
    served.context = serve_context(settings, Asked(), str(path), served.said.append)
    browser = served.logged_in("kim")
    assert browser.get(GPUS).status_code == 200
    path.write_text("users:\n" + lee)
    assert browser.get(GPUS).status_code == 401
    path.write_text("users: [")
    assert served.logged_in("lee").get(GPUS).status_code == 200


def test_a_header_of_another_kind_does_not_keep_a_stream_open(serve: Serve) -> None:
    """A stream is held by what logged in, not by what else was sent."""
    served = serve()
    browser = served.by_link()
    cookie = browser.cookies[served.context.cookie_name]
    ended = False
    with browser.stream("GET", "/api/events", headers={"Authorization": "Basic eA=="}) as answer:
        for line in answer.iter_lines():
            if line.startswith("event: end"):
                ended = True
            if line.startswith("event: states") and not ended:
                served.context.sessions.end(cookie)
                served.context.changed()
    assert ended
