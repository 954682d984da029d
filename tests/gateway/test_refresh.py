"""The unit of a gateway that an older version wrote: kept through a reload, anew by request."""

from hashlib import sha256

from xgen_deploy.plan.gateway_refresh import keeping_unit
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.state.gateway import GatewayRecord, GatewaySpec

UNIT = "/etc/systemd/system/xgen-p-gateway.service"
SPEC = GatewaySpec(binary="/usr/sbin/haproxy", port=8080)
OLD = b"[Service]\n# of 0.1.0\n"
RENDERED = Rendered("xgen-p-gateway", File(UNIT, "[Service]\n", 0o644), (), (), {})


def record(there: bytes, spec: GatewaySpec = SPEC) -> GatewayRecord:
    return GatewayRecord(spec=spec, digest="d", files={UNIT: sha256(there).hexdigest()})


def test_a_change_of_routes_does_not_start_an_older_gateway_anew() -> None:
    rendered, version = keeping_unit(RENDERED, SPEC, record(OLD), OLD)
    assert rendered.definition.content == OLD.decode()
    assert version == 1


def test_a_unit_is_written_where_the_process_is_another_one_anyway() -> None:
    before = SPEC.model_copy(update={"binary": "/opt/haproxy"})
    rendered, version = keeping_unit(RENDERED, SPEC, record(OLD, before), OLD)
    assert (rendered, version) == (RENDERED, UNIT_VERSION)


def test_a_unit_that_was_edited_or_is_gone_is_written() -> None:
    for there in (b"[Service]\nNice=5\n", None):
        rendered, version = keeping_unit(RENDERED, SPEC, record(OLD), there)
        assert (rendered, version) == (RENDERED, UNIT_VERSION)
