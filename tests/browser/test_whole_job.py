"""The page over this machine with a real engine: the dialog, an apply with its progress to the
end, one that fails, and two people at once.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Read, keep
from tests.lab.site import Site
from tests.ports import free_port
from tests.process.conftest import HERE, binary, model, site, state

__all__ = ["binary", "model", "site", "state"]
_SLOW = 120_000  # ms: an engine starts


@dataclass
class Serving:
    """`xgen-deploy serve`, as a user would start it."""

    process: subprocess.Popen[str]
    link: str
    address: str


@pytest.fixture
def serving(site: Site, binary: str) -> Iterator[Serving]:
    """`broken` is a model whose engine fails at its start."""
    engine = site.folder / "broken-engine"
    real = shlex.quote(binary)
    engine.write_text(
        f'#!/bin/sh\ncase "$*" in *--help*|*--version*) exec {real} "$@";; esac\n'
        "echo 'error: failed to load the model: out of patience' >&2\nexit 1\n"
    )
    engine.chmod(0o755)
    site.models["broken"] = {**site.models["tiny"], "binary": str(engine)}
    port = free_port(in_a_row=10)
    site.ports = f"{port + 1}-{port + 9}"
    process = site.start("serve", f"--port={port}", "--changes=apply")
    assert process.stdout is not None
    first = process.stdout.readline()
    link = re.search(r"http\S+", first)
    assert link is not None, first
    yield Serving(process, link[0], f"http://127.0.0.1:{port}")
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said, said


def row(name: str) -> str:
    return f'[data-instance="{HERE}/{name}"]'


def deploy(page: Page, *, model: str = "tiny", **fields: str) -> None:
    page.get_by_role("button", name="Deploy a model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Model").select_option(model)
    for label, value in fields.items():
        dialog.get_by_role("textbox", name=label.capitalize()).fill(value)
    expect(dialog.locator("#forecast")).to_contain_text("takes", timeout=30_000)
    dialog.get_by_role("button", name="Show the edit and the plan").click()


def test_a_model_is_deployed_edited_and_removed_from_the_page(
    serving: Serving, site: Site, read: Read
) -> None:
    manifest = site.manifest
    first = read(serving.link)
    page = first.page
    expect(page.locator(f"{row('tiny')} .state")).to_have_text("absent", timeout=30_000)

    deploy(page, name="second", context="128")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".patch .added", has_text="name: second")).to_be_visible(timeout=30_000)
    assert "second" not in manifest.read_text()
    keep(page, "edit-and-plan")
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog.locator(".progress li").first).to_be_visible(timeout=30_000)
    expect(dialog.get_by_text("Applied.")).to_be_visible(timeout=_SLOW)
    keep(page, "applied")
    dialog.get_by_role("button", name="Close").click()
    assert "name: second" in manifest.read_text()
    expect(page.locator(f"{row('second')} .state")).to_have_text("running", timeout=30_000)
    expect(page.locator("#history tbody")).to_contain_text("via serve", timeout=30_000)

    # Somebody else looks too; what one does, the other sees without a click.
    options = {"storage_state": first.context.storage_state(), "locale": "ko-KR"}
    other = read(f"{serving.address}/", **options).page
    expect(other.locator(f"{row('second')} .state")).to_have_text("실행 중", timeout=30_000)

    page.locator(row("second")).get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    apply = dialog.get_by_role("button", name="Apply")
    expect(apply).to_be_disabled()
    dialog.get_by_label(re.compile("Type its name")).fill("second")
    apply.click()
    expect(dialog.get_by_text("Applied.")).to_be_visible(timeout=_SLOW)
    expect(other.locator(row("second"))).to_have_count(0, timeout=60_000)
    assert "second" not in manifest.read_text()
    assert site.run_on(manifest, "plan", "--limit=tiny").code == 0


def test_an_engine_that_fails_says_why_and_the_edit_can_be_taken_back(
    serving: Serving, site: Site, read: Read
) -> None:
    page = read(serving.link).page
    before = site.manifest.read_text()
    expect(page.locator(row("tiny"))).to_be_visible(timeout=30_000)
    deploy(page, model="broken")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog.locator("p.bad", has_text="Failed.")).to_be_visible(timeout=_SLOW)
    expect(dialog).to_contain_text("out of patience")
    keep(page, "failed")
    assert "model: broken" in site.manifest.read_text()
    dialog.get_by_role("button", name="Take the edit back").click()
    expect(dialog.get_by_text("The edit was taken back.")).to_be_visible(timeout=30_000)
    assert site.manifest.read_text() == before


def test_a_served_page_ends_with_its_program_and_says_so(
    serving: Serving, site: Site, read: Read
) -> None:
    reader = read(serving.link)
    expect(reader.page.locator(row("tiny"))).to_be_visible(timeout=30_000)
    serving.process.kill()
    lost = reader.page.get_by_text("The connection to xgen-deploy was lost")
    expect(lost).to_be_visible(timeout=30_000)
    reader.page.close()
    reader.complaints.clear()  # it tried to get through meanwhile
