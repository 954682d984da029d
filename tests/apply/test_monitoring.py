"""What watches the hosts: made, kept in step, proved, put back, taken away."""

from __future__ import annotations

import json

import pytest

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.state.monitoring_paths import shown_folder, token_file
from xgen_deploy.watch.exporter_paths import settings_file, tls_file

PAGER = "https://pager.example.net/T0"
WATCHED = {"host": "edge", "alerts": {"webhook": {"env": "PAGER"}}}
TARGETS = f"{shown_folder(LAYOUT, 'prometheus')}/targets.json"


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """Two hosts with a model and one that watches them."""
    monkeypatch.setenv("PAGER", PAGER)
    made = make_site(
        {"h": "cpu", "h2": "cpu", "edge": "cpu"},
        models={"q": MODEL},
        hosts={"h": [q()], "h2": [q()]},
        monitoring=WATCHED,
    )
    for host in made.hosts.values():
        host.machine = {"python_path": "/usr/bin/python3"}
    return made


def targets(host: FakeHost) -> list[str]:
    return [entry["targets"][0] for entry in json.loads(host.files[TARGETS])]


def test_a_plan_shows_what_will_watch_and_nothing_is_left_to_do_after(site: FakeSite) -> None:
    said = site.run("plan").said
    assert "exporter on port 9809" in said
    assert "Prometheus on port 9090 with 2 targets; Alertmanager on port 9093" in said
    said = site.apply()
    assert "Prometheus scrapes 2 of 2 targets; its receiver was sent a test alert" in said
    assert targets(site.hosts["edge"]) == ["h:9809", "h2:9809"]
    assert site.pending_operations() == []


def test_programs_that_are_missing_are_named_at_once(site: FakeSite) -> None:
    site.hosts["edge"].gone.update(("/usr/bin/prometheus", "/usr/bin/prometheus-alertmanager"))
    said = site.run("plan").said
    assert "prometheus and alertmanager are not installed on this host" in said
    assert "Install them (`apt-get install prometheus prometheus-alertmanager`)" in said
    site.hosts["edge"].gone.remove("/usr/bin/prometheus")
    said = site.run("plan").said
    assert "alertmanager is not installed on this host" in said
    assert "Install it (`apt-get install prometheus-alertmanager`), or name it" in said


def test_keys_and_the_token_stay_where_they_are_used(site: FakeSite) -> None:
    site.apply()
    edge, h = site.hosts["edge"], site.hosts["h"]
    token = edge.files[token_file(LAYOUT)]
    assert edge.modes[token_file(LAYOUT)] == 0o600
    assert h.modes[tls_file(LAYOUT)] == 0o600
    assert not [p for p, content in h.files.items() if token in content]
    assert not [a for host in site.hosts.values() for a in host.ran if token.decode() in str(a)]
    lying = [p for p, content in edge.files.items() if PAGER.encode() in content]
    assert lying == [f"{LAYOUT.settings('alertmanager')}/alertmanager.yml"]
    assert edge.modes[lying[0]] == 0o600


def test_another_host_is_one_more_target_and_restarts_nothing(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"].pop("h2"))
    site.apply()
    edge = site.hosts["edge"]
    site.forget()
    site.change(lambda m: m["hosts"].update(h2=[q()]))
    said = site.apply()
    assert "+1 target, no interruption" in said
    assert targets(edge) == ["h:9809", "h2:9809"]
    assert not [a for a in edge.ran if a[:2] == ("systemctl", "restart")]
    assert site.pending_operations() == []


def test_the_exporter_follows_what_runs(site: FakeSite) -> None:
    site.apply()
    h = site.hosts["h"]
    before = json.loads(h.files[settings_file(LAYOUT)])["engines"]
    site.change(lambda m: m["hosts"]["h"].append(q(name="q-b")))
    site.apply()
    after = json.loads(h.files[settings_file(LAYOUT)])["engines"]
    assert [e["instance"] for e in after] == [*(e["instance"] for e in before), "q-b"]
    assert site.pending_operations() == []


def test_a_target_that_cannot_be_reached_is_named_and_all_is_taken_away(site: FakeSite) -> None:
    site.hosts["edge"].peers = {"h": site.hosts["h"], "h2": FakeHost("h2")}
    said = site.apply(code=1)
    assert "Prometheus does not reach h2: server returned 0" in said
    assert "It was taken away; nothing was there before" in said
    edge = site.hosts["edge"]
    assert [p for p in edge.files if "prometheus" in p] == [token_file(LAYOUT)]
    assert "monitoring" not in site.record("edge")
    assert site.record("h")["monitoring"]["spec"]["exporter"]["port"] == 9809


def test_what_failed_is_finished_by_the_next_apply(site: FakeSite) -> None:
    edge = site.hosts["edge"]
    edge.peers = {"h": site.hosts["h"], "h2": FakeHost("h2")}
    site.apply(code=1)
    edge.peers = site.hosts
    assert "Prometheus scrapes 2 of 2 targets" in site.apply()
    assert site.pending_operations() == []


def test_another_monitoring_host_asks_with_a_token_that_all_know(site: FakeSite) -> None:
    site.apply()
    site.change(lambda m: (m["monitoring"].update(host="h2"), m["hosts"].update(edge=[])))
    assert "Prometheus scrapes 2 of 2 targets" in site.apply()
    assert not [p for p in site.hosts["edge"].files if "prometheus" in p]
    assert site.pending_operations() == []


def test_a_stated_token_that_has_another_value_is_known_to_all(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "one")
    site.change(lambda m: m["monitoring"].update(token={"env": "TOKEN"}))
    site.apply()
    monkeypatch.setenv("TOKEN", "another")
    assert "Prometheus scrapes 2 of 2 targets" in site.apply()
    assert site.pending_operations() == []


def test_the_exporter_knows_a_gateway_that_came_later(site: FakeSite) -> None:
    site.apply()
    site.change(lambda m: m.update(gateway={"host": "h", "port": 9000}))
    site.apply()
    assert json.loads(site.hosts["h"].files[settings_file(LAYOUT)])["gateway"]["port"] == 9000
    assert site.pending_operations() == []


def test_more_than_the_disk_has_is_a_warning(site: FakeSite) -> None:
    folder = {"path": "/var/lib/xgen-p-prometheus", "exists": False, "free": 10 << 30, "total": 1}
    site.hosts["edge"].machine |= {"folders": [{**folder, "total": 20 << 30}]}
    site.change(lambda m: m["monitoring"].update(retention_size="20G"))
    assert "monitoring may take 20" in site.run("plan").said
    site.change(lambda m: m["monitoring"].update(retention_size="5G"))
    assert "monitoring may take" not in site.run("plan").said


def test_users_log_in_with_hashed_passwords(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB", "a password")
    site.change(lambda m: m["monitoring"].update(users={"operator1": {"env": "WEB"}}))
    site.apply()
    web = site.hosts["edge"].files[f"{LAYOUT.settings('prometheus')}/web.yml"].decode()
    assert "operator1" in web
    assert "$2b$" in web
    assert "a password" not in web
    assert site.run("apply", "-y").code == 0
    assert site.hosts["edge"].files[f"{LAYOUT.settings('prometheus')}/web.yml"].decode() == web


def test_what_was_provided_for_a_grafana_goes_too(site: FakeSite) -> None:
    folder = "/etc/grafana/provisioning"
    site.change(lambda m: m["monitoring"].update(grafana={"provision": folder}))
    site.apply()
    edge = site.hosts["edge"]
    assert [p for p in edge.files if p.startswith(folder) and p.endswith(".json")]
    assert site.pending_operations() == []
    assert site.run("destroy", "-y").code == 0
    assert not [p for p in edge.files if p.startswith(folder)]


def test_a_receiver_that_takes_nothing_fails_the_change_and_the_old_one_stays(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.apply()
    edge = site.hosts["edge"]
    before = dict(edge.files)
    monkeypatch.setenv("OTHER", "https://refused.example.net")
    site.change(lambda m: m["monitoring"]["alerts"].update(webhook={"env": "OTHER"}))
    said = site.apply(code=1)
    assert "the receiver of alerts could not be told" in said
    assert "What watched before does again" in said
    receivers = f"{LAYOUT.settings('alertmanager')}/alertmanager.yml"
    assert edge.files[receivers] == before[receivers]


def test_another_value_of_a_secret_is_a_change(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.apply()
    monkeypatch.setenv("PAGER", "https://pager.example.net/T1")
    said = site.apply()
    assert "the value of a secret changed" in said
    assert site.pending_operations() == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (TARGETS, "targets.json was edited by hand"),
        (LAYOUT.definition("prometheus"), "prometheus.service was edited by hand"),
    ],
)
def test_what_was_edited_is_repaired(site: FakeSite, path: str, said: str) -> None:
    site.apply()
    edge = site.hosts["edge"]
    before = edge.files[path]
    edge.files[path] += b"# mine\n"
    assert site.pending_operations() == ["edge/monitoring repair"]
    assert said in site.apply()
    assert edge.files[path] == before
    assert site.pending_operations() == []


def test_a_socket_that_was_stopped_is_started_again(site: FakeSite) -> None:
    site.apply()
    site.hosts["h"].systemd.run(("systemctl", "stop", "xgen-p-exporter.socket"))
    assert site.pending_operations() == ["h/monitoring repair"]
    assert "xgen-p-exporter.socket is inactive" in site.apply()
    assert site.pending_operations() == []


@pytest.mark.parametrize("destroys", [True, False])
def test_nothing_is_left(site: FakeSite, destroys: bool) -> None:
    site.apply()
    if destroys:
        assert site.run("destroy", "-y").code == 0
    else:
        site.change(lambda m: (m.pop("monitoring"), m["hosts"].update(edge=[])))
        assert "what Prometheus kept is deleted" in site.apply()
        assert site.pending_operations() == []
    for host in site.hosts.values():
        words = ("exporter", "facts", "prometheus", "alertmanager")
        assert not [p for p in host.files if any(word in p for word in words)], host.name


def test_limit_changes_what_watches_on_these_hosts_alone(site: FakeSite) -> None:
    said = site.run("plan", "--limit", "h").said
    assert "not watched yet: edge, where Prometheus runs, is not part of this plan" in said
    site.apply()
    site.hosts["h"].systemd.run(("systemctl", "stop", "xgen-p-exporter.socket"))
    site.hosts["h2"].systemd.run(("systemctl", "stop", "xgen-p-exporter.socket"))
    assert site.run("apply", "-y", "--limit", "h").code == 0
    assert site.pending_operations() == ["h2/monitoring repair"]


def test_a_port_that_another_holds_is_refused(site: FakeSite) -> None:
    holder = [{"port": 9090, "address": "0.0.0.0", "process": "cockpit-ws", "pid": 3}]
    site.hosts["edge"].machine |= {"ports": holder}
    said = site.run("plan").said
    assert "port 9090 (prometheus) is held by cockpit-ws (pid 3)" in said


def test_status_and_verify_tell_how_it_stands(site: FakeSite) -> None:
    site.apply()
    shown = json.loads(site.run("status", "--json").out)["monitoring"]
    assert [(m["host"], m["status"], m["endpoint"]) for m in shown] == [
        ("edge", "up", "http://127.0.0.1:9090"), ("h", "up", None), ("h2", "up", None)
    ]  # fmt: skip
    ran = site.run("verify")
    assert (ran.code, "checks of 2 instances: all checks passed" in ran.said) == (0, True)
    site.hosts["h"].systemd.run(("systemctl", "stop", "xgen-p-exporter.socket"))
    assert "MONITORING  h: xgen-p-exporter.socket is inactive" in site.run("status").said
    ran = site.run("verify")
    assert ran.code == 1
    assert "h/monitoring  units and files: xgen-p-exporter.socket is inactive" in ran.said
    assert "edge/monitoring  target h: server returned 0" in ran.said


def test_the_targets_for_another_prometheus(site: FakeSite) -> None:
    ran = site.run("metrics-targets")
    assert json.loads(ran.out) == [
        {"targets": [f"{host}:9809"], "labels": {"project": "p", "host": host}}
        for host in ("h", "h2")
    ]
    assert json.loads(site.run("metrics-targets", "--json").out)["targets"] == json.loads(ran.out)
    site.change(lambda m: m.pop("monitoring"))
    assert "has no `monitoring:`" in site.run("metrics-targets").said
