"""`GET /api/management/gpus` of hosts in memory."""

from tests.serve.conftest import Serve, users
from xgen_deploy.state.site import Site


def test_every_card_of_every_host_is_there_and_what_is_unknown_is_null(serve: Serve) -> None:
    served = serve({"h": "cpu", "n": "h100x4"}, hosts={"h": [{"model": "q", "gpus": []}], "n": []})
    answer = served.by_link().get("/api/management/gpus")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["success"] is True
    assert document["gpu_type"] == "cuda"
    assert document["total"] == len(document["gpus"]) == 5
    cpu, first, *_ = document["gpus"]
    assert (cpu["host"], cpu["type"], cpu["index"]) == ("h", "cpu", None)
    assert (first["id"], first["host"], first["type"]) == ("n:0", "n", "cuda")
    assert first["used_memory_mb"] is None or first["used_memory_mb"] >= 0
    assert document["hosts"]["h"]["gpu_type"] == "cpu"
    assert document["hosts"]["n"]["detection_method"] == "pynvml"


def test_one_host_is_asked_for_by_its_name(serve: Serve) -> None:
    browser = serve({"h": "cpu", "n": "h100x4"}, hosts={"h": [], "n": []}).by_link()
    gpus = browser.get("/api/management/gpus", params={"host": "n"}).json()["gpus"]
    assert {gpu["host"] for gpu in gpus} == {"n"}
    assert browser.get("/api/management/gpus", params={"host": "x"}).status_code == 404


def test_a_host_that_is_not_reached_is_told_beside_the_others(serve: Serve) -> None:
    served = serve({"h": "cpu", "n": "cpu"}, hosts={"h": [], "n": []})
    served.site.hosts["n"].unreachable = "nobody answers"
    document = served.by_link().get("/api/management/gpus").json()
    assert document["hosts"]["n"] == {**dict.fromkeys(document["hosts"]["n"]),
                                      "reachable": False, "error": "nobody answers"}  # fmt: skip
    assert [(e["host"], e["message"]) for e in document["errors"]] == [("n", "nobody answers")]


def test_a_user_sees_his_hosts_alone(serve: Serve) -> None:
    served = serve(
        {"h": "cpu", "n": "cpu"},
        hosts={"h": [], "n": []},
        serve=users(eve={"role": "viewer", "hosts": ["n"]}),
    )
    document = served.logged_in("eve").get("/api/management/gpus").json()
    assert list(document["hosts"]) == ["n"]


def test_the_manifest_is_read_again_when_it_changes(serve: Serve) -> None:
    served = serve({"h": "cpu", "n": "cpu"}, hosts={"h": []})
    browser = served.by_link()
    assert list(browser.get("/api/management/gpus").json()["hosts"]) == ["h"]
    served.site.change(lambda manifest: manifest["hosts"].update(n=[]))
    assert list(browser.get("/api/management/gpus").json()["hosts"]) == ["h", "n"]
    (served.site.folder / "manifest.yaml").write_text("hosts: [")
    answer = browser.get("/api/management/gpus")
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["file"].endswith("manifest.yaml")


def test_a_manifest_that_changes_while_it_is_read_is_read_again(serve: Serve) -> None:
    served = serve({"h": "cpu", "n": "cpu"}, hosts={"h": []})
    load, context = served.context._load, served.context

    def load_too_early() -> Site:
        site = load()
        if len(site.hosts) == 1:
            served.site.change(lambda manifest: manifest["hosts"].update(n=[]))
        return site

    context._load = load_too_early
    assert list(context.site().hosts) == ["h", "n"]
