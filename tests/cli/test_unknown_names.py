"""A name that there is not is refused, with what there is and what was probably meant."""

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.site import FakeSite

REFUSED = {
    "logs chatt": "there is no instance `chatt` in the manifest; it has chat, embed, gateway. "
    "Did you mean `chat`?",
    "logs chat chatt": "there is no instance `chatt`",
    "logs big": "`big` is a model; its instances are chat",
    "logs embed --limit h": "`embed` is on g, which `--limit h` leaves out",
    "logs gateway --limit h": "`gateway` is on g, which `--limit h` leaves out",
    "stop chatt -y": "Did you mean `chat`?",
    "start nobody -y": "it has chat, embed, gateway",
    "restart chat big -y": "`big` is a model; its instances are chat",
    "restart embed --limit h -y": "`embed` is on g, which `--limit h` leaves out",
    "rollback --to 99 -y": "there is no record of apply #99; there are #1;",
    "rollback --to 0 -y": "there is no record of apply #0; there are #1;",
    "render --host x": "there is no host `x` in the manifest; it has h, g",
    "cordon hh": "there is no host `hh` in the manifest; it has g, h. Did you mean `h`?",
    "plan --repin hh:0": "Did you mean `h`?",
    "render --host gg": "Did you mean `g`?",
    "plan --limit chatt": "there are h, g, ",
    "gpus --limit hh": "Did you mean `h`?",
    "status --limit nobody": "there is no host, group, model or instance `nobody`",
}


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    made = make_site(
        {"g": "cpu", "h": "cpu"},
        gateway=GATEWAY,
        models={"big": MODEL, "small": {**MODEL, "type": "embedding"}},
        hosts={
            "h": [q(model="big", name="chat")],
            "g": [q(model="small", name="embed")],
        },
    )
    made.apply()
    return made


@pytest.mark.parametrize("command", REFUSED)
def test_an_unknown_name_is_refused_with_what_there_is(site: FakeSite, command: str) -> None:
    before = site.saved()
    ran = site.run(*command.split())
    assert ran.code == 1
    assert REFUSED[command] in ran.said
    assert {n: h.files for n, h in site.hosts.items()} == {n: h.files for n, h in before.items()}


def test_a_saved_plan_that_is_not_there_is_a_sentence(site: FakeSite) -> None:
    ran = site.run_on(site.folder / "none.json", "show")
    assert ran.code == 1
    assert ran.said.endswith("none.json cannot be read: No such file or directory\n")
