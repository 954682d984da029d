"""The real application over hosts in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.apply.conftest import make_site
from tests.fake_host.site import FakeSite
from tests.serve.credentials import HASHED, PASSWORD, TOKEN
from xgen_deploy.cli.json_output import JsonOutput
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.serving import serve_context
from xgen_deploy.serve.app import _ROUTERS, create_app
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.settings import Asked

__all__ = ["make_site"]
ADDRESS = "http://127.0.0.1:8765"


class Served:
    """One `serve` over a site; `said` are the lines that it printed."""

    def __init__(self, site: FakeSite, stack: ExitStack, asked: Asked) -> None:
        self.site = site
        self.said: list[str] = []
        self.context: ServeContext = serve_context(settings_of(site), asked, None, self.said.append)
        self._stack = stack

    def browser(self, **headers: str) -> TestClient:
        """Nobody is logged in there."""
        client = TestClient(
            create_app(self.context),
            base_url=ADDRESS,
            headers=headers,
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        return self._stack.enter_context(client)

    def by_link(self) -> TestClient:
        """Whoever started the command."""
        browser = self.browser()
        link = self.context.new_login_link()
        assert link is not None
        assert browser.get(link).status_code == 303
        return with_csrf(browser)

    def logged_in(self, name: str) -> TestClient:
        browser = self.browser()
        done = browser.post("/api/login", json={"name": name, "password": PASSWORD})
        assert done.status_code == 200, done.text
        return with_csrf(browser)

    def script(self) -> TestClient:
        return self.browser(Authorization=f"Bearer {TOKEN}")


Serve = Callable[..., Served]


@pytest.fixture
def serve(make_site: Callable[..., FakeSite]) -> Iterator[Serve]:
    """Of what stands in the manifest over the usual, and what the command line asks for."""
    with ExitStack() as stack:

        def start(
            kinds: dict[str, str] | None = None,
            *,
            asked: Asked | None = None,
            applied: bool = False,
            **manifest: Any,
        ) -> Served:
            site = make_site(kinds, **manifest)
            if applied:
                site.apply()
                site.forget()
            return Served(site, stack, asked or Asked())

        yield start


def settings_of(site: FakeSite) -> Settings:
    return Settings(
        manifest=str(site.folder / "manifest.yaml"), inventory=(), limit=(), json=False,
        quiet=False, verbose=False, ssh_config=None, accept_new_host_keys=False,
        ask_become_pass=False, output=JsonOutput(),
    )  # fmt: skip


def with_csrf(browser: TestClient) -> TestClient:
    browser.headers["X-CSRF-Token"] = browser.get("/api/session").json()["csrf"]
    return browser


def routes() -> list[Route]:
    """All that there is to ask for, but for the page's own files."""
    found = [route for router in _ROUTERS for route in router.routes if isinstance(route, Route)]
    assert {"/", "/page/hosts", "/page/changes", "/api/plan"} <= {route.path for route in found}
    return found


def users(**fields: dict[str, Any]) -> dict[str, Any]:
    """Of `serve:`; each with the same password."""
    return {"users": {name: {"password_hash": HASHED, **stated} for name, stated in fields.items()}}
