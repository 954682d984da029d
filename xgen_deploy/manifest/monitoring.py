"""The `monitoring:` section: where it runs, and whether it can be as it is stated."""

from collections.abc import Sequence

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import absolute_secret
from xgen_deploy.manifest.inventory.hosts import Hosts
from xgen_deploy.manifest.node import MapNode, marks_of
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.engine_words import MONITORING_KEYS
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.monitoring_config import (
    MONITORING_NAMES,
    Alerts,
    Monitoring,
)
from xgen_deploy.state.settings import SecretRef

_SECTION = "monitoring"


def monitoring_host(sections: Sections, hosts: Hosts, problems: Problems) -> dict[str, Mark]:
    """The one host of it, and where it was named."""
    stated = sections.manifest.monitoring
    if stated is None:
        return {}
    node = sections.part(_SECTION).get("host")
    mark = node.mark if node is not None else sections.written.key_mark(_SECTION)
    names = hosts.named(stated.host, mark)
    if len(names) > 1:
        problems.add(
            mark,
            f"`{stated.host}` is {len(names)} hosts ({', '.join(names[:5])}); Prometheus runs on "
            "one: name it",
        )
    return dict.fromkeys(names[:1], mark)


def whole_monitoring(sections: Sections, on: dict[str, Mark]) -> Monitoring | None:
    """With its host, and secrets' files absolute."""
    stated = sections.manifest.monitoring
    if stated is None:
        return None
    marks = dict(marks_of(sections.part(_SECTION)))

    def absolute(secret: SecretRef | None, place: str) -> SecretRef | None:
        return secret and absolute_secret(secret, marks[place])

    users = stated.users and {
        name: absolute_secret(password, marks[f"users.{name}"])
        for name, password in stated.users.items()
    }
    alerts, grafana = stated.alerts, stated.grafana
    if alerts is not None:
        alerts = _alerts(alerts, marks)
    if grafana is not None and grafana.admin_password is not None:
        password = absolute(grafana.admin_password, "grafana.admin_password")
        grafana = replace(grafana, admin_password=password)
    return replace(
        stated,
        host=next(iter(on), stated.host),
        users=users,
        alerts=alerts,
        grafana=grafana,
        token=absolute(stated.token, "token"),
    )


def _alerts(stated: Alerts, marks: dict[str, Mark]) -> Alerts:
    email = stated.email
    if email is not None and email.password is not None:
        place = marks["alerts.email.password"]
        email = replace(email, password=absolute_secret(email.password, place))
    return replace(
        stated,
        webhook=stated.webhook and absolute_secret(stated.webhook, marks["alerts.webhook"]),
        heartbeat=stated.heartbeat and absolute_secret(stated.heartbeat, marks["alerts.heartbeat"]),
        email=email,
    )


def check_programs(sections: Sections, hosts: Hosts, problems: Problems) -> None:
    """They are never containers: their users could not be given systemd's credentials."""
    table = sections.part("images").entries
    places = [(entry.mark, key) for key, entry in table.items() if key in MONITORING_KEYS]
    places += [
        (hosts.marks[name][f"xgen_images.{key}"], key)
        for name, host in hosts.known.items()
        for key in host.images
        if key in MONITORING_KEYS
    ]
    for mark, key in places:
        problems.add(
            mark,
            f"{key} runs as the host's own program and takes no image; install it there, or name "
            f"it: `binaries: {{{key}: /path}}`",
        )


def check_monitoring(
    sections: Sections,
    on: dict[str, Mark],
    instances: Sequence[InstanceConfig],
    gateway: dict[str, Mark],
    hosts: Hosts,
    problems: Problems,
) -> None:
    """`gateway` are the hosts of it."""
    stated = sections.manifest.monitoring
    if stated is None:
        return
    part = sections.part(_SECTION)
    _check_reach(stated, part, problems)
    _check_names(instances, part, problems)
    _check_ports(stated, part, instances, on, problems)
    for name, mark in on.items():
        if (hosts.known[name].runtime or sections.manifest.runtime) == "process":
            problems.add(
                mark,
                f"{name}: Prometheus is a systemd unit, and this host's runtime is `process`; put "
                "it on a host whose runtime is `docker` or `systemd`",
            )
    _check_watched(instances, gateway, part, problems)
    if stated.alerts is None or not stated.alerts.has_receiver:
        problems.warn(
            part.key_mark("alerts"),
            "monitoring has no receiver: alerts fire, and nobody is told. Give "
            "`alerts: {webhook: {env: NAME}}`, or `email`",
        )


def _check_reach(stated: Monitoring, part: MapNode, problems: Problems) -> None:
    if not stated.is_open:
        return
    lacks = [key for key in ("tls", "users") if not getattr(stated, key)]
    if lacks:
        problems.add(
            part.key_mark("listen"),
            f"{stated.listen} can be reached from elsewhere, and monitoring has no "
            f"{' and no '.join(f'`{key}`' for key in lacks)}; give both, or leave `listen` out and "
            "reach it through an SSH tunnel",
        )


def _check_names(instances: Sequence[InstanceConfig], part: MapNode, problems: Problems) -> None:
    for instance in instances:
        if instance.name in MONITORING_NAMES:
            problems.add(
                instance.marks.get("name", instance.marks[""]),
                f"an instance `{instance.name}` would have the name of a unit of monitoring "
                f"({part.mark}); give it another `name:`",
            )


def _check_ports(
    stated: Monitoring,
    part: MapNode,
    instances: Sequence[InstanceConfig],
    on: dict[str, Mark],
    problems: Problems,
) -> None:
    """Its own ports differ, and no instance has one of them as its fixed port."""
    own = {"exporter_port": stated.exporter_port, "port": stated.port}
    if stated.alerts is not None:
        own["alerts.port"] = stated.alerts.port
    if stated.grafana is not None and stated.grafana.provision is None:
        own["grafana.port"] = stated.grafana.port
    marks = dict(marks_of(part))
    first: dict[int, str] = {}
    for key, port in own.items():
        if (other := first.setdefault(port, key)) != key:
            problems.add(
                marks.get(key, part.mark), f"monitoring: {key} and {other} are both {port}"
            )
    for instance in instances:
        taken = first.get(instance.port or 0)
        if taken is not None and (taken == "exporter_port" or instance.host in on):
            problems.add(
                instance.marks["port"],
                f"port {instance.port} on {instance.host} is monitoring's ({taken}); "
                "choose another",
            )


def _check_watched(
    instances: Sequence[InstanceConfig],
    gateway: dict[str, Mark],
    part: MapNode,
    problems: Problems,
) -> None:
    """An exporter is a systemd unit, so hosts of the runtime process have none."""
    unwatched = sorted({i.host for i in instances if i.runtime == "process"} - gateway.keys())
    if unwatched:
        problems.warn(
            part.mark,
            f"{', '.join(unwatched)}: not watched, because the runtime is `process`; an exporter "
            "is a systemd unit",
        )
