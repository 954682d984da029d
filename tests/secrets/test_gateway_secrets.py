"""The keys of a gateway: of this run's manifest, else those that were delivered."""

from pathlib import Path

import pytest

from tests.gateway.running_gateway import TEMPLATES
from tests.secrets.files import Files
from tests.secrets.test_resolver import site
from xgen_deploy.gateway.config import keys_text
from xgen_deploy.gateway.keys import GatewayKeys, client_digest
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.secrets.resolver import NotAtHand, NotStated, SecretResolver
from xgen_deploy.state.gateway import GatewayRecord, GatewaySpec
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, Server
from xgen_deploy.state.settings import SecretRef

LAYOUT = system_layout("p")
OLD, KEY, GATEWAY_PORT = (SecretRef(env=name) for name in ("OLD", "KEY", "DOOR"))
TOP = {"gateway": {"host": "h", "api_key": {"env": "DOOR"}}}


def spec(key: SecretRef) -> GatewaySpec:
    server = Server(name="h.q", host="h", instance="q", address="127.0.0.1", port=1, slots=1)
    route = Route(model="q", pool="q", servers=(server,), api_key=key)
    return GatewaySpec(port=8080, api_key=GATEWAY_PORT, routes=(route,))


def secrets(folder: Path, last: GatewaySpec | None) -> GatewaySecrets:
    files = Files()
    if last is not None:
        given = GatewayKeys({"q": SecretText("sk-given")}, client_digest(SecretText("sk-door")))
        text = keys_text(last, given, TEMPLATES)
        files.content["/etc/xgen-deploy/p/gateway/keys.cfg"] = text.encode()
    record = GatewayRecord(spec=last, digest=last.digest) if last else None
    return GatewaySecrets(
        SecretResolver(site(folder, api_key={"env": "KEY"}, **TOP)),
        files.on(),
        LAYOUT,
        Record(project="p", gateway=record),
    )


def test_values_at_hand_are_today_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-new")
    monkeypatch.setenv("DOOR", "sk-door")
    found = secrets(tmp_path, spec(KEY))
    assert found.keys(spec(KEY)).engines["q"].reveal() == "sk-new"
    assert found.differ() is True
    monkeypatch.setenv("KEY", "sk-given")
    assert secrets(tmp_path, spec(KEY)).differ() is False


def test_without_the_variables_what_was_delivered_stays(tmp_path: Path) -> None:
    found = secrets(tmp_path, spec(KEY))
    keys = found.keys(spec(KEY))
    assert keys.engines["q"].reveal() == "sk-given"
    assert keys.client == client_digest(SecretText("sk-door"))
    assert found.differ() is None


def test_an_instance_that_waits_for_its_new_reference_is_asked_with_the_delivered_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value that the old reference has by now is not looked at."""
    monkeypatch.setenv("OLD", "sk-another")
    found = secrets(tmp_path, spec(OLD)).keys(spec(OLD))
    assert found.engines["q"].reveal() == "sk-given"


def test_what_a_record_asks_for_anew_is_an_error_that_names_who_asks(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    foreign = SecretRef(command=f"touch {marker}")
    with pytest.raises(NotStated, match=r"does not have.* It is the key of h/q"):
        secrets(tmp_path, spec(KEY)).keys(spec(foreign))
    assert not marker.exists()


def test_a_first_gateway_without_the_variables_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotAtHand, match=r"h/gateway: .*KEY is not set here"):
        secrets(tmp_path, None).keys(spec(KEY))
