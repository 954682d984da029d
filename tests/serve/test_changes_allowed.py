"""What may be changed from a browser, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apply.conftest import MODEL, q
from tests.serve.changing import apply, ask, changing, reason, runner_of, text_of
from tests.serve.conftest import Serve, users
from xgen_deploy.manifest.schema import Manifest, Placement
from xgen_deploy.serve.changes.edits import FIELDS
from xgen_deploy.serve.changes.preview import preview
from xgen_deploy.serve.changes.requests import LoadRequest
from xgen_deploy.serve.security.users import link_user
from xgen_deploy.state.settings import LlamaSettings, VllmSettings

MAY = {"model", "name"} | {path[0] for path in FIELDS.values() if len(path) == 1}
PARTS = (*LlamaSettings.model_fields, *VllmSettings.model_fields)
NEVER = sorted({*Placement.model_fields, *Manifest.model_fields, *PARTS} - MAY - set(FIELDS))
TWO = {"h": "cpu", "n": "cpu"}
MODELS = {"q": MODEL, "r": MODEL}
ROLES = users(
    looks={"role": "viewer"},
    operates={"role": "operator"},
    edits={"role": "admin"},
    limited={"role": "admin", "hosts": ["n"], "models": ["r"]},
)


def test_the_list_of_what_is_never_changed_has_the_dangerous_ones() -> None:
    assert {
        *("api_key", "env", "image", "binary", "container", "extra_args", "trust_remote_code"),
        *("listen", "gateway", "source", "serve", "images", "binaries", "inventory", "hosts"),
        *("override_tensors", "chat_template", "loras", "draft", "mmproj", "protect", "port"),
        *("adopt", "accept", "notify", "audit", "registries", "fetch", "llama", "vllm"),
    } <= set(NEVER)


@pytest.mark.parametrize("field", NEVER)
def test_every_other_field_is_changed_by_editing_the_file(field: str) -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        LoadRequest.model_validate({"model": "q", "host": "h", field: "x"})


def test_a_field_that_is_never_changed_is_answered_and_not_written(serve: Serve) -> None:
    served = changing(serve)
    browser, before = served.by_link(), text_of(served)
    for field in ("env", "image", "extra_args", "source"):
        answer = ask(browser, "load", 422, model="q", host="h", **{field: {"X": "y"}})
        assert field in reason(answer)
    assert text_of(served) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "/etc/passwd"}, "there is no model `/etc/passwd`"),
        ({"model": "q", "host": "elsewhere"}, "there is no host `elsewhere`"),
        ({"model": "q", "backend": "--no-such"}, "no-such"),
        ({"model": "q", "n_gpu_layers": 5}, "n_gpu_layers"),
        ({"model": "q", "name": "../../etc"}, "../../etc"),
        ({"model": "r", "name": "q"}, "`q` on h is an instance of q"),
    ],
)
def test_values_are_the_manifests(serve: Serve, body: dict[str, Any], said: str) -> None:
    served = changing(serve, models=MODELS)
    done = served.by_link().post("/api/management/load", json={"host": "h", **body})
    assert done.status_code in (404, 422), done.text
    assert said in done.text


@pytest.mark.parametrize(
    ("user", "what", "body", "status"),
    [
        ("looks", "load", {"model": "q", "host": "n", "gpus": []}, 403),
        ("looks", "action", {"name": "q", "host": "h", "action": "restart"}, 403),
        ("operates", "action", {"name": "q", "host": "h", "action": "restart"}, 202),
        ("operates", "action", {"name": "q", "host": "h", "action": "stop"}, 403),
        ("operates", "load", {"model": "q", "host": "h", "n_ctx": 4096}, 403),
        ("operates", "unload", {"name": "q", "host": "h"}, 403),
        ("edits", "load", {"model": "q", "host": "h", "n_ctx": 4096}, 202),
        ("edits", "unload", {"name": "q", "host": "h"}, 202),
        ("limited", "load", {"model": "r", "host": "n", "gpus": []}, 202),
        ("limited", "load", {"model": "q", "host": "n", "gpus": []}, 422),
        ("limited", "load", {"model": "r", "host": "h", "gpus": []}, 404),
        ("limited", "unload", {"name": "q", "host": "h"}, 404),
        ("limited", "action", {"name": "q", "host": "h", "action": "restart"}, 404),
    ],
)
def test_roles_and_limits(
    serve: Serve, user: str, what: str, body: dict[str, Any], status: int
) -> None:
    """A plan may be asked for by an operator; it is its apply that takes the role."""
    served = changing(serve, TWO, models=MODELS, hosts={"h": [q()], "n": []}, serve=ROLES)
    browser = served.logged_in(user)
    done = browser.post(f"/api/management/{what}", json=body)
    if done.status_code == 202:
        change = done.json()
        done = browser.post(
            f"/api/changes/{change['id']}/apply",
            json={"fingerprint": change["fingerprint"], "name": change["confirm"]},
        )
        if done.status_code == 202:
            browser.get(f"/api/changes/{change['id']}/events")  # until it ends
    assert done.status_code == status, done.text
    ran = [words for words in runner_of(served).words if words]
    assert bool(ran) is (status == 202)
    assert set(runner_of(served).users) <= {user}


def test_a_plan_that_reaches_beyond_a_user_is_not_his(serve: Serve) -> None:
    served = changing(serve, TWO, models=MODELS, hosts={"h": [q()], "n": []}, serve=ROLES)
    served.site.change(lambda m: m["hosts"].update(h=[q(n_ctx=4096)]))
    answer = ask(served.logged_in("limited"), "load", 403, model="r", host="n", gpus=[])
    assert reason(answer) == "the plan changes h/q as well, which limited may not"


def test_a_change_of_hosts_that_a_user_does_not_see_is_none_of_his(serve: Serve) -> None:
    served = changing(serve, TWO, models=MODELS, hosts={"h": [q()], "n": []}, serve=ROLES)
    change = ask(served.logged_in("edits"), "unload", host="h", name="q")
    limited = served.logged_in("limited")
    assert limited.get("/api/changes").json()["changes"] == []
    for path in ("", "/events"):
        assert limited.get(f"/api/changes/{change['id']}{path}").status_code == 404
    for path in ("apply", "undo"):
        body = {"fingerprint": change["fingerprint"], "name": change["confirm"]}
        done = limited.post(f"/api/changes/{change['id']}/{path}", json=body)
        assert done.status_code == 404


def test_what_is_protected_is_removed_and_stopped_on_the_command_line_alone(serve: Serve) -> None:
    served = changing(serve, models={"q": {**MODEL, "protect": True}}, hosts={"h": [q()]})
    browser, before = served.by_link(), text_of(served)
    asked: tuple[tuple[str, dict[str, Any]], ...] = (("unload", {}), ("action", {"action": "stop"}))
    for what, body in asked:
        change = ask(browser, what, host="h", name="q", **body)
        assert change["blocked"].startswith("h/q is protected")
        assert "is protected" in reason(apply(browser, change, 409))
    served.site.change(lambda m: m["models"].update(q=MODEL))  # what was applied counts too
    assert ask(browser, "unload", host="h", name="q")["blocked"].startswith("h/q is protected")
    served.site.change(lambda m: m["models"].update(q={**MODEL, "protect": True}))
    assert text_of(served) == before
    assert served.site.run("stop", "-y", "q").code == 0


def test_no_value_of_a_secret_is_in_a_change(serve: Serve) -> None:
    served = changing(
        serve, TWO, models={"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}},
        hosts={"h": [q()], "n": []},
    )  # fmt: skip
    browser = served.by_link()
    change = ask(browser, "load", model="q", host="n", gpus=[])
    apply(browser, change)
    for path in ("", "/events"):
        assert "sk-engine" not in browser.get(f"/api/changes/{change['id']}{path}").text


def test_a_preview_stores_nothing_and_asks_the_hosts_once(serve: Serve) -> None:
    served = changing(serve, TWO, hosts={"h": [q()], "n": []})
    context, user, before = served.context, link_user("me"), text_of(served)
    served.site.forget()
    for n_ctx in (1024, 2048, 4096):
        shown = preview(context, user, LoadRequest(model="q", host="n", gpus=(), n_ctx=n_ctx))
        assert f"+    n_ctx: {n_ctx}" in shown.diff
        assert [o.id for o in shown.plan.operations] == ["n/q"]
    first = served.site.hosts["n"].last_request
    served.site.hosts["n"].last_request = b""
    preview(context, user, LoadRequest(model="q", host="n", gpus=(), n_ctx=512))
    assert (served.site.hosts["n"].last_request, bool(first)) == (b"", True)
    assert context.changes.all(user) == []
    assert text_of(served) == before


def test_a_limited_user_is_shown_his_part_of_a_plan_and_no_lines_of_others(serve: Serve) -> None:
    served = changing(serve, TWO, models=MODELS, hosts={"h": [q()], "n": []}, serve=ROLES)
    body: dict[str, Any] = {"model": "r", "host": "n", "gpus": []}
    whole = ask(served.logged_in("edits"), "load", **body)
    part = ask(served.logged_in("limited"), "load", **body)
    assert set(whole["plan"]["hosts"]) == {"h", "n"}
    assert set(part["plan"]["hosts"]) == {"n"}
    assert "model: q" in whole["diff"]
    assert "model: q" not in part["diff"]


def test_no_hash_of_a_password_is_in_a_diff(serve: Serve) -> None:
    served = changing(serve, applied=False)
    path = served.site.folder / "manifest.yaml"
    hashed = ROLES["users"]["edits"]["password_hash"]
    lines = f"serve: {{users: {{kim: {{role: admin, password_hash: '{hashed}'}}}}}}\n"
    path.write_text(text_of(served).replace("hosts:\n  h:", f"{lines}hosts:\n  h:"))
    assert hashed in text_of(served)
    change = ask(served.logged_in("kim"), "load", model="q", host="h", n_ctx=8192)
    assert "password_hash: …" in change["diff"] or "password_hash" not in change["diff"]
    assert hashed not in change["diff"]


def test_a_replica_is_no_placement_of_its_own(serve: Serve) -> None:
    served = changing(serve, hosts={"h": [q(replicas=2)]})
    answer = ask(served.by_link(), "unload", 422, host="h", name="q-2")
    assert reason(answer) == "`q-2` is one of the replicas of `q`"
