"""What a host is asked beyond what is always told."""

from pathlib import Path

from tests.plan.fleet import LAYOUT, Fleet
from xgen_deploy.resolve.request import probe_request


def test_the_ports_that_an_instance_or_the_gateway_may_get(tmp_path: Path) -> None:
    gateway = {"host": "a", "port": 8080}
    fleet = Fleet(tmp_path, {"a": "h100", "b": "h100"}, gateway=gateway, ports="8001-8004")
    site = fleet.site({"a": [{"model": "q"}, {"model": "q", "name": "fixed", "port": 9000}]})
    asked = {n: probe_request(site, site.hosts[n], LAYOUT).ports for n in ("a", "b")}
    assert asked == {"a": ((8001, 8004), (9000, 9000), (8080, 8080)), "b": ()}
