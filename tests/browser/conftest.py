"""The page in a real browser, Chromium without a window. As root a Debian machine gets it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.apply.conftest import make_site
from tests.ports import free_port
from tests.serve.conftest import Serve, Served, serve
from xgen_deploy.serve.app import create_app
from xgen_deploy.serve.settings import Asked

__all__ = ["make_site", "serve"]
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium", "fonts-noto-cjk")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one file alone: as long as Playwright is at work, no other loop of asyncio can run."""
    program = _program()
    if program is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(("apt-get", "update"), check=False, capture_output=True)
        subprocess.run(_INSTALL, check=False, capture_output=True)
        program = _program()
    if program is None:
        pytest.skip("optional: no Chromium here; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


@dataclass
class Reader:
    """One person's browser. `complaints` is all that the page wrote to its console."""

    context: BrowserContext
    page: Page
    complaints: list[str]


Read = Callable[..., Reader]


@pytest.fixture
def read(chromium: Browser) -> Iterator[Read]:
    """A new browser, as wide as stated; nothing may be complained of in its console."""
    readers: list[Reader] = []

    def begin(address: str, *, width: int = 1280, height: int = 900, **options: Any) -> Reader:
        size = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, **{"locale": "en-US", **options})  # type: ignore[arg-type]
        page = context.new_page()
        reader = Reader(context, page, [])
        page.on("console", lambda message: reader.complaints.append(message.text))
        page.on("pageerror", lambda error: reader.complaints.append(str(error)))
        page.on("request", lambda r: _only_own(reader, r.url, address))
        page.goto(address)
        readers.append(reader)
        return reader

    yield begin
    for reader in readers:
        reader.context.close()
        assert reader.complaints == []


def _only_own(reader: Reader, url: str, address: str) -> None:
    own = "/".join(address.split("/")[:3])
    if not url.startswith((own, "data:")):
        reader.complaints.append(f"it asked {url}")


@dataclass
class Shown:
    """An application over hosts in memory that really listens."""

    served: Served
    address: str

    @property
    def link(self) -> str:
        link = self.served.context.new_login_link()
        assert link is not None
        return link


Show = Callable[..., Shown]


@pytest.fixture
def show(serve: Serve) -> Iterator[Show]:
    with ExitStack() as stack:

        def start(*args: Any, asked: Asked | None = None, **fields: Any) -> Shown:
            port = free_port()
            changes = asked.changes if asked else None
            served = serve(*args, asked=Asked(changes=changes, port=port), **fields)
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(served.context),
                    host="127.0.0.1",
                    port=port,
                    log_config=None,
                    ws="none",
                    timeout_graceful_shutdown=1,
                )
            )
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.05)
                assert thread.is_alive()
            return Shown(served, f"http://127.0.0.1:{port}")

        yield start


def keep(page: Page, name: str) -> None:
    """A picture for docs/, where somebody asked for new ones."""
    folder = os.environ.get("XGEN_SCREENSHOTS")
    if folder:
        whole = page.locator("dialog[open]").count() == 0
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)
