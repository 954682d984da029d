from pathlib import Path

import pytest

from tests.site_file import load_site


@pytest.mark.parametrize(
    ("manifest", "warning"),
    [
        (
            "ports: 40000-40010\nmodels: {q: {source: /q}}",
            "1:1: ports 40000-40010 overlaps 32768-60999",
        ),
        (
            "models: {q: {source: /q}}\ngateway: {host: h, port: 33000}",
            "2:20: the gateway's port 33000 overlaps 32768-60999",
        ),
        (
            "models: {q: {source: /q, fallback: [r]}, r: {source: /r}}",
            "1:36: `fallback` has no effect without a `gateway:`",
        ),
        (
            "models: {q: {source: /q, n_gpu_layers: 33}}",
            "3:24: n_gpu_layers 33 of q is ignored on h: `gpus: []` is the CPU",
        ),
        ("models: {q: {source: /q, n_gpu_layers: all}}", None),
        ("models: {q: {source: /q}}\ngateway: {host: h}", None),
    ],
)
def test_what_is_said_and_does_not_stop(manifest: str, warning: str | None, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{manifest}\nproject: a\nhosts: {{h: [{{model: q, gpus: []}}]}}\n")
    warnings = load_site(str(path)).warnings
    assert len(warnings) == (warning is not None)
    assert all(one.startswith(f"{path}:{warning}") for one in warnings)
