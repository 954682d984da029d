"""What the page shows, over hosts in memory."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.apply.conftest import MODEL, q
from tests.browser.conftest import Read, Show, Shown, keep
from tests.fake_host.reporter import sample
from tests.resolve.test_choosing import header
from tests.serve.conftest import users
from tests.serve.credentials import PASSWORD
from xgen_deploy.serve.settings import Asked

FLEET = {"h100": "h100", "strix": "strix", "edge": "cpu", "far": "cpu"}
PLACED = {
    "h100": [q(gpus=[0], n_gpu_layers=20)],
    "strix": [q(name="q-strix")],
    "edge": [q(name="q-edge")],
    "far": [q(name="q-far")],
}


@pytest.fixture
def fleet(show: Show) -> Shown:
    """Applied on all but the last host, which cannot be reached any more."""
    shown = show(FLEET, applied=True, hosts=PLACED, asked=Asked(changes="apply"))
    hosts = shown.served.site.hosts
    hosts["far"].unreachable = "port 22 timed out after 10 s"
    known = {"gguf": json.loads(header().model_dump_json(exclude_none=True))}
    hosts["h100"].model_facts[str(MODEL["source"])] = known
    hosts["h100"].reports.append(sample(1.0, q={"generated": 0.0, "waiting": 0.0, "running": 1.0}))
    hosts["h100"].reports.append(sample(3.0, q={"generated": 90.0, "waiting": 2.0, "running": 4.0}))
    return shown


def loaded(page: Page) -> None:
    expect(page.locator(".card")).to_have_count(4, timeout=20_000)
    expect(page.locator(".instance")).to_have_count(4, timeout=20_000)
    expect(page.locator("#history tbody tr, #history .note").first).to_be_visible()


def accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def no_overflow(page: Page) -> None:
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]


def test_hosts_models_and_what_is_not_known(fleet: Shown, read: Read) -> None:
    page = read(fleet.link).page
    loaded(page)
    card = page.locator(".card", has_text="h100")
    expect(card.locator(".badge")).to_have_text("CUDA GPU")
    expect(card).to_contain_text("Can run")
    expect(page.locator(".card", has_text="edge").locator(".badge")).to_have_text("CPU only")
    far = page.locator(".card", has_text="far")
    expect(far).to_contain_text("unreachable")
    expect(far).to_contain_text("port 22 timed out after 10 s")
    row = page.locator('[data-instance="h100/q"]')
    expect(row.locator(".state")).to_have_text("running")
    expect(row.locator('[data-value="tokens_per_second"]')).to_have_text("45.0", timeout=20_000)
    expect(row.locator('[data-value="waiting"]')).to_have_text("2")
    expect(page.locator('[data-instance="far/q-far"] .state')).to_have_text("unknown")
    accessible(page)
    keep(page, "page")


@pytest.mark.parametrize(
    ("name", "width", "options"),
    [
        ("dark-korean", 1280, {"color_scheme": "dark", "locale": "ko-KR"}),
        ("phone", 360, {}),
        ("phone-dark", 360, {"color_scheme": "dark"}),
    ],
)
def test_every_look_is_readable(
    fleet: Shown, read: Read, name: str, width: int, options: dict[str, str]
) -> None:
    page = read(fleet.link, width=width, **options).page
    loaded(page)
    no_overflow(page)
    accessible(page)
    keep(page, f"page-{name}")


def test_in_print_nothing_is_cut_off(fleet: Shown, read: Read) -> None:
    page = read(fleet.link, width=800).page
    loaded(page)
    page.emulate_media(media="print")
    no_overflow(page)
    expect(page.get_by_role("button", name="Deploy a model")).not_to_be_visible()
    expect(page.locator(".curl").first).to_be_visible()


def test_the_language_is_chosen_and_kept(fleet: Shown, read: Read) -> None:
    page = read(fleet.link).page
    page.get_by_role("link", name="한국어").click()
    expect(page.get_by_role("heading", name="호스트")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="모델")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "ko"


def test_a_curl_is_copied_and_works_without_a_mouse(fleet: Shown, read: Read) -> None:
    reader = read(fleet.link, permissions=["clipboard-read", "clipboard-write"])
    page = reader.page
    loaded(page)
    copy = page.locator('[data-instance="h100/q"]').get_by_role("button", name=re.compile("curl"))
    copy.focus()
    page.keyboard.press("Enter")
    expect(copy).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl http://127.0.0.1:")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_dialog_offers_what_a_host_can_run_and_says_why_not_more(
    fleet: Shown, read: Read
) -> None:
    page = read(fleet.link).page
    loaded(page)
    page.get_by_role("button", name="Deploy a model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Host").select_option("h100")
    expect(dialog.get_by_label(re.compile("NVIDIA H100"))).to_be_visible()
    rocm = dialog.locator('option[value="vllm-rocm"]')
    assert rocm.is_disabled()
    assert ": " in rocm.inner_text()
    expect(dialog.get_by_label(re.compile("NVIDIA H100"))).to_be_checked()
    forecast = dialog.locator("#forecast")
    expect(forecast).to_contain_text("GPU 0: takes", timeout=20_000)
    slider = dialog.get_by_role("slider")
    layers = int(slider.get_attribute("max") or 0)
    whole = forecast.inner_text()
    dialog.get_by_label("all", exact=True).uncheck()
    slider.fill(str(layers // 2))
    expect(dialog.locator("output")).to_have_text(str(layers // 2))
    expect(forecast).not_to_have_text(whole, timeout=20_000)
    expect(forecast).to_contain_text("GPU 0: takes")
    accessible(page)
    keep(page, "deploy")
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()


def test_the_plan_is_the_command_lines(fleet: Shown, read: Read) -> None:
    page = read(fleet.link).page
    page.get_by_role("button", name="Make the plan").click()
    shown = page.locator("#plan-shown")
    expect(shown).to_contain_text("far", timeout=20_000)
    expect(shown).to_contain_text("port 22 timed out after 10 s")


def test_markup_of_a_host_is_text(show: Show, read: Read) -> None:
    shown = show({"h": "h100"}, hosts={"h": [q(gpus=[0])]})
    name = '<img src=x onerror="alert(1)">'
    shown.served.site.hosts["h"].machine["cpu_model"] = name
    shown.served.site.hosts["h"].unreachable = f"it says {name}"
    page = read(shown.link).page
    expect(page.locator(".card")).to_contain_text(name, timeout=20_000)
    assert page.locator("img").count() == 0


def test_a_password_logs_in_and_out(show: Show, read: Read) -> None:
    shown = show({"h": "cpu"}, serve=users(kim={"role": "viewer"}))
    reader = read(f"{shown.address}/")
    page = reader.page
    page.get_by_label("Name").fill("kim")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    accessible(page)
    assert any("401" in text for text in reader.complaints)  # as Chromium tells of every such one
    reader.complaints.clear()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".who")).to_contain_text("kim · viewer")
    expect(page.get_by_role("button", name="Log", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_many_rows_are_searched_and_shown_a_page_at_a_time(show: Show, read: Read) -> None:
    names = [f"gpu-{n:03}" for n in range(60)]
    placed = {name: [q(name=f"q-{name}")] for name in names}
    shown = show(dict.fromkeys(names, "cpu"), models={"q": MODEL}, hosts=placed)
    page = read(shown.link).page
    expect(page.locator(".card")).to_have_count(50, timeout=30_000)
    page.locator("#hosts").get_by_role("button", name="Next").click()
    expect(page.locator(".card")).to_have_count(10)
    page.locator("#hosts").get_by_role("searchbox").fill("gpu-042")
    expect(page.locator(".card")).to_have_count(1, timeout=10_000)
    expect(page.locator(".card")).to_contain_text("gpu-042")
