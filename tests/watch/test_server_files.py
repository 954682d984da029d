import pytest

from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.monitoring import Program, ServerSpec
from xgen_deploy.state.monitoring_config import Grafana
from xgen_deploy.watch.server_files import is_ours

SPEC = ServerSpec(
    prometheus=Program(binary="/usr/bin/prometheus"),
    port=9090,
    retention="100d",
    grafana=Grafana(provision="/srv/grafana"),
)


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/etc/xgen-deploy/p/prometheus/shown/rules.yml", True),
        ("/srv/grafana/datasources/xgen-p.yaml", True),
        ("/srv/grafana/datasources/mine.yaml", False),
        ("/etc/passwd", False),
        ("/etc/xgen-deploy/p/prometheus/shown/../../../../passwd", False),
        ("/etc/xgen-deploy/other/prometheus/shown/rules.yml", False),
    ],
)
def test_a_record_names_no_other_file_to_be_removed(path: str, ours: bool) -> None:
    assert is_ours(path, system_layout("p"), SPEC) is ours
