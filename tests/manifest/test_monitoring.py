from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.manifest.diagnostics import ManifestError

HEAD = "project: a\nmodels: {q: {source: /q}}\nhosts: {h: [{model: q, gpus: []}]}\n"


def load(tmp_path: Path, text: str):
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return load_site(str(path))


def test_what_is_not_stated_has_its_default(tmp_path: Path) -> None:
    site = load(tmp_path, HEAD + "monitoring: {host: edge, alerts: {webhook: {env: PAGER}}}")
    watching = site.monitoring
    assert watching is not None
    assert (watching.listen, watching.port, watching.exporter_port) == ("127.0.0.1", 9090, 9809)
    assert (watching.retention, watching.interval) == ("100d", 15.0)
    assert "edge" in site.hosts  # it is reached like any other
    assert site.warnings == ()


def test_a_secret_s_file_is_relative_to_the_manifest(tmp_path: Path) -> None:
    site = load(tmp_path, HEAD + "monitoring: {host: h, alerts: {webhook: {file: pager}}}")
    assert site.monitoring is not None
    assert site.monitoring.alerts is not None
    assert site.monitoring.alerts.webhook is not None
    assert site.monitoring.alerts.webhook.file == str(tmp_path / "pager")


def test_monitoring_that_tells_nobody_is_a_warning(tmp_path: Path) -> None:
    site = load(tmp_path, HEAD + "monitoring: {host: h}")
    assert ["no receiver" in warning for warning in site.warnings] == [True]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("monitoring: {host: h, listen: 0.0.0.0}", "4:23: 0.0.0.0 can be reached from elsewhere"),
        ("monitoring: {host: h, grafana: {}}", "4:32: grafana: `admin_password` is missing"),
        ("monitoring: {host: h, port: 3000, grafana: {admin_password: {env: A}}}", "are both 3000"),
        ("monitoring: {host: h}\nimages: {grafana: g}", "5:10: grafana runs as the host's own"),
        ("monitoring: {host: h}\nruntime: process", "Prometheus is a systemd unit"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, HEAD + text)
    assert problem in str(caught.value)


def test_an_instance_may_be_called_prometheus_only_without_monitoring(tmp_path: Path) -> None:
    named = HEAD.replace("gpus: []", "gpus: [], name: grafana")
    load(tmp_path, named)
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, named + "monitoring: {host: h}")
    assert "3:34: an instance `grafana` would have the name of a unit of monitoring" in str(
        caught.value
    )


def test_its_programs_are_named_in_the_tables(tmp_path: Path) -> None:
    tables = "runtime: systemd\nbinaries: {llama: /l, prometheus: /opt/prometheus}\n"
    watched = "monitoring: {host: h, alerts: {webhook: {env: A}}}"
    assert load(tmp_path, HEAD + tables + watched).warnings == ()
    warnings = load(tmp_path, HEAD + tables).warnings
    assert ["`binaries.prometheus` is used by no monitoring here" in w for w in warnings] == [True]


def test_an_image_of_a_host_s_own_is_refused_where_it_was_written(tmp_path: Path) -> None:
    inventory = "inventory: {all: {hosts: {h: {xgen_images: {prometheus: p}}}}}\n"
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, HEAD + inventory + "monitoring: {host: h}")
    assert "4:45: prometheus runs as the host's own program" in str(caught.value)
