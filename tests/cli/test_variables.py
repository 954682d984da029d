"""`-e` on the command line: what is applied, and what a saved plan holds of it."""

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.site import FakeSite


def _site(make_site: MakeSite) -> FakeSite:
    return make_site(models={"q": {**MODEL, "n_ctx": "${ctx}"}}, hosts={"h": [q()]})


def test_every_command_takes_them(make_site: MakeSite) -> None:
    site = _site(make_site)
    ran = site.run("apply", "-y")
    assert (ran.code, "no variable `ctx` for h" in ran.said) == (1, True), ran.said
    assert site.run("apply", "-y", "-e", "ctx=1024").code == 0
    assert site.record()["instances"]["q"]["spec"]["n_ctx"] == 1024
    assert "nothing to do" in site.run("plan", "-e", "ctx=1024").said
    assert site.run("status", "-e", "ctx=1024").code == 0
    assert "1024 -> 2048" in site.run("plan", "-e", "ctx=2048").said.replace("→", "->")


def test_a_saved_plan_holds_their_values_and_no_others(make_site: MakeSite) -> None:
    site = _site(make_site)
    plan = site.folder / "plan.json"
    (site.folder / "vars.yaml").write_text("ctx: 1024\n")
    assert site.run("plan", "-e", f"@{site.folder / 'vars.yaml'}", "-o", str(plan)).code == 0
    refused = site.run_on(plan, "apply", "-e", "ctx=2048")
    assert (refused.code, "or a variable, has changed" in refused.said) == (1, True), refused.said
    (site.folder / "vars.yaml").write_text("ctx: 2048\n")
    assert "has changed since the plan was saved" in site.run_on(plan, "apply").said
    (site.folder / "vars.yaml").write_text("ctx: 1024\n")
    assert site.run_on(plan, "apply").code == 0
    assert site.record()["instances"]["q"]["spec"]["n_ctx"] == 1024
