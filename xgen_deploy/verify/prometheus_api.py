"""Prometheus, asked on its own host: whether it runs, and which exporters it reaches."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.bounded_json import read_json
from xgen_deploy.secrets.monitoring import ServerSecrets
from xgen_deploy.state.endpoint import local_address
from xgen_deploy.state.monitoring import ServerSpec
from xgen_deploy.transport.base import Reply, Session
from xgen_deploy.visible import printable

_ANSWER = 10.0
_MOST = 4 << 20
_LONGEST = 200
_NOT_YET = "not scraped yet"


@dataclass(frozen=True)
class PrometheusAPI:
    """`login` is the header that it asks for, where one is needed and at hand."""

    session: Session
    spec: ServerSpec
    login: Mapping[str, str] = field(repr=False)

    def get(self, path: str) -> Reply:
        spec = self.spec
        return self.session.request(
            "GET",
            local_address(spec.listen),
            spec.port,
            path,
            headers=self.login,
            timeout=_ANSWER,
            tls=spec.tls is not None,
        )

    @property
    def has_read_settings(self) -> bool:
        """Whether its last look at them went well."""
        said = self.get("/metrics").body.decode(errors="replace")
        return "prometheus_config_last_reload_successful 0" not in said

    def not_scraped(self) -> dict[str, str]:
        """Host -> why its exporter is not reached; {} too where the login is not at hand here."""
        bad = {t.host: _NOT_YET for t in self.spec.targets if t.certificate is not None}
        reply = self.get("/api/v1/targets?state=active")
        if reply.status == 401:
            return {}
        try:
            document = read_json(reply.body.decode(errors="replace"), _MOST)
            for target in document["data"]["activeTargets"]:
                host = str(target["labels"].get("host", ""))
                if host in bad and target["health"] == "up":
                    del bad[host]
                elif host in bad and target.get("lastError"):
                    bad[host] = printable(str(target["lastError"])[:_LONGEST])
        except (ValueError, KeyError, TypeError, AttributeError):
            return bad
        return bad


def prometheus_api(session: Session, spec: ServerSpec, secrets: ServerSecrets) -> PrometheusAPI:
    """With the first user's password, where it has users."""
    user = next(iter(spec.users), None)
    password = secrets.password_of(spec, user) if user is not None else None
    if password is None:
        return PrometheusAPI(session, spec, {})
    word = b64encode(f"{user}:{password}".encode()).decode()
    return PrometheusAPI(session, spec, {"Authorization": f"Basic {word}"})
