"""After an apply and in `status`: the address, a line for curl, and the model's name."""

import json
import shlex

import pytest

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.state.instance import Spec


def told(said: str) -> list[str]:
    lines = said.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("ask  ")), len(lines))
    return lines[start:]


def body(line: str) -> dict[str, object]:
    """Of a line for curl."""
    words = shlex.split(line)
    value: dict[str, object] = json.loads(words[words.index("-d") + 1])
    return value


def test_through_the_gateway_with_the_name_of_the_key_s_variable(gateway_site: FakeSite) -> None:
    manifest = gateway_site.folder / "manifest.yaml"
    address, curl, ask = told(gateway_site.run("status").said)
    assert address == "ask  http://g:9000/v1  model q"
    assert curl.startswith(
        "  $ curl http://g:9000/v1/chat/completions "
        "-H \"Authorization: Bearer $CLIENT_KEY\" -H 'Content-Type: application/json' -d "
    )
    assert body(curl) == {"model": "q", "messages": [{"role": "user", "content": "Hello"}]}
    assert ask == f"  $ xgen-deploy ask {manifest} q Hello"


def test_a_client_s_key_that_opens_the_model(gateway_site: FakeSite) -> None:
    clients = {"no": {"env": "OTHER_KEY", "models": []}, "yes": {"env": "CLIENT_KEY"}}
    gateway_site.change(lambda m: m["gateway"].pop("api_key"))
    gateway_site.change(lambda m: m["gateway"].update(clients=clients))
    _, curl, _ = told(gateway_site.run("status").said)
    assert '-H "Authorization: Bearer $CLIENT_KEY"' in curl


def test_an_apply_ends_with_it_and_one_with_nothing_to_do_does_not(make_site: MakeSite) -> None:
    site = make_site()
    manifest = site.folder / "manifest.yaml"
    assert told(site.apply())[-1] == f"  $ xgen-deploy ask {manifest} q Hello"
    assert told(site.apply()) == []
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    assert told(site.run("apply", "-y", "-q").said) == []
    assert told(site.run("restart", "-y").said) != []
    assert told(site.run("stop", "-y").said) == []
    assert told(site.run("status").said) == []


def test_what_listens_on_its_own_host_is_asked_there(make_site: MakeSite) -> None:
    site = make_site()
    address, curl, _ = told(site.apply())
    assert address == "ask  http://127.0.0.1:8001/v1 on h  model q"
    assert curl.startswith("  h$ curl http://127.0.0.1:8001/v1/chat/completions -H 'Content-")


@pytest.mark.parametrize(
    ("model", "path", "question"),
    [
        (
            {"source": "/m/bge-m3.gguf", "type": "embedding"},
            "/v1/embeddings",
            {"model": "q", "input": "Hello"},
        ),
        (
            {"source": "/m/bge-reranker.gguf", "type": "reranker"},
            "/v1/rerank",
            {
                "model": "q",
                "query": "Hello",
                "documents": ["Paris is in France.", "Bread is baked."],
            },
        ),
    ],
)
def test_each_kind_of_model_has_its_own_question(
    make_site: MakeSite, model: dict[str, object], path: str, question: object
) -> None:
    site = make_site(models={"q": model})
    _, curl, ask = told(site.apply())
    assert f"{path} " in curl
    assert body(curl) == question
    assert ask.endswith("'Bread is baked.'" if model["type"] == "reranker" else "q Hello")


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ({"env": "ENGINE_KEY"}, "$ENGINE_KEY"),
        ({"command": "printf key"}, "$(printf key)"),
        ({"file": "my key"}, "$(cat '{folder}/my key')"),
    ],
)
def test_a_key_is_shown_as_where_it_comes_from(
    make_site: MakeSite, reference: dict[str, str], shown: str
) -> None:
    site = make_site(models={"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}})
    site.apply()
    (site.folder / "my key").write_text("sk-engine")
    site.change(lambda m: m["models"]["q"].update(api_key=reference))
    _, curl, _ = told(site.run("status").said)
    assert f'-H "Authorization: Bearer {shown.format(folder=site.folder)}"' in curl


def test_nothing_that_a_record_says_is_there_to_be_pasted(make_site: MakeSite) -> None:
    """Its model's name and its key's command are a host's word."""
    site = make_site(hosts={"h": [q(), q(name="q-2")]})
    site.apply()
    record = site.record()
    for name, evil in (("q", {"api_key": {"command": "rm"}}), ("q-2", {"model": "x;rm"})):
        last = record["instances"][name]
        last["spec"] |= evil
        last["digest"] = Spec.model_validate(last["spec"]).digest
    site.hosts["h"].files[LAYOUT.record] = json.dumps(record).encode()
    said = told(site.run("status").said)
    assert said[0].endswith("model q")
    assert "rm" not in "\n".join(said).replace(str(site.folder), "")


def test_many_addresses_are_counted(make_site: MakeSite) -> None:
    site = make_site(hosts={"h": [q(name=f"q-{n}") for n in range(8)]})
    said = told(site.apply())
    assert said[5] == "     and 3 more; `xgen-deploy status --json` has all"
    assert len(said) == 8
