"""The key from before, read back from what was delivered."""

import pytest

from tests.gateway.running_gateway import TEMPLATES
from xgen_deploy.gateway.config import keys_text
from xgen_deploy.gateway.keys import GatewayKeys, old_keys
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.routes import Route, Server
from xgen_deploy.state.settings import SecretRef

KEY = SecretRef(env="KEY")
ODD = 'sk-"it\'s" $(id) %n \\ #1'


def spec(*models: str, old: bool = True, key: SecretRef | None = KEY) -> GatewaySpec:
    def server(model: str) -> Server:
        return Server(
            name=model, host="h", instance=model, address="h", port=1, slots=1, old_key=old
        )

    routes = (Route(model=m, pool=m, servers=(server(m),), api_key=key) for m in models)
    return GatewaySpec(port=8080, routes=tuple(routes))


def keys(today: str) -> GatewayKeys:
    return GatewayKeys(dict.fromkeys(("m", "other"), SecretText(today)))


def delivered(gateway: GatewaySpec, today: str, **old: str) -> bytes:
    before = {model: SecretText(key) for model, key in old.items()}
    return keys_text(gateway, keys(today), TEMPLATES, before).encode()


@pytest.mark.parametrize("before", ["sk-1", ODD])
def test_the_first_time_it_is_the_delivered_one(before: str) -> None:
    """Wherever its model stood then."""
    last = spec("other", "m", old=False)
    found = old_keys(spec("m"), last, delivered(last, before), keys("sk-2"))
    assert found == {"m": SecretText(before)}


def test_later_it_is_still_that_one() -> None:
    last = spec("m")
    found = old_keys(spec("m"), last, delivered(last, "sk-2", m="sk-1"), keys("sk-2"))
    assert found == {"m": SecretText("sk-1")}


def test_back_to_the_first_one_the_second_is_the_old_one() -> None:
    last = spec("m")
    found = old_keys(spec("m"), last, delivered(last, "sk-2", m="sk-1"), keys("sk-1"))
    assert found == {"m": SecretText("sk-2")}


@pytest.mark.parametrize(
    ("gateway", "content"),
    [(spec("m", old=False), b"setenv XGEN_KEY_0 'sk-1'\n"), (spec("m"), b""), (spec("m"), None)],
)
def test_none_where_none_is_needed_or_there(gateway: GatewaySpec, content: bytes | None) -> None:
    assert old_keys(gateway, spec("m"), content, keys("sk-2")) == {}
