"""What Alertmanager reads: whom it tells, and what it leaves out. Pure.

For 0.25 and later: that one reads a webhook's address from nowhere else, so the text is a secret.
"""

from collections.abc import Mapping

from xgen_deploy.state.monitoring_config import Alerts, Email
from xgen_deploy.watch.rules.upkeep import HEARTBEAT
from xgen_deploy.watch.yaml_text import yaml_text

# What a new receiver is told when it is applied.
TEST = "XgenTest"
_NOBODY, _TEAM, _HEARTBEAT = "nobody", "team", "heartbeat"
# The stronger alert -> the weaker one, which says the same; the labels that both have.
_STRONGER = (
    ("XgenManyErrors", "XgenErrors", ("project", "host", "model")),
    ("XgenModelsDiskFull", "XgenModelsDiskNearlyFull", ("project", "host", "path")),
    ("XgenCertificateExpiresSoon", "XgenCertificateExpires", ("project", "host", "certificate")),
    ("XgenWatchdogGaveUp", "XgenRestartLoop", ("project", "host", "instance")),
    ("XgenWatchdogGaveUp", "XgenInstanceDown", ("project", "host", "instance")),
)


def alertmanager_config(alerts: Alerts, secrets: Mapping[str, str]) -> str:
    """`secrets` are those of `alerts`: `webhook`, `heartbeat`, `email.password`."""
    return yaml_text(
        {
            "route": _routes(alerts),
            "inhibit_rules": [_host_down(), *(_weaker(*pair) for pair in _STRONGER)],
            "receivers": _receivers(alerts, secrets),
        }
    )


def _routes(alerts: Alerts) -> dict[str, object]:
    """A heartbeat that is repeated sooner than it may be sent goes out each time that it may."""
    heartbeat = {
        "receiver": _HEARTBEAT if alerts.heartbeat is not None else _NOBODY,
        "matchers": [f'alertname="{HEARTBEAT}"'],
        "group_wait": "0s",
        "group_interval": "1m",
        "repeat_interval": "30s",
    }
    return {
        "receiver": _TEAM if alerts.has_receiver else _NOBODY,
        "group_by": ["project", "host", "alertname"],
        "group_wait": "5s",
        "group_interval": "1m",
        "repeat_interval": "4h",
        "routes": [
            heartbeat,
            {"receiver": _NOBODY, "matchers": ['severity="none"']},
            {"matchers": [f'alertname="{TEST}"'], "group_wait": "0s"},
        ],
    }


def _host_down() -> dict[str, object]:
    return {
        "source_matchers": ['alertname="XgenHostDown"'],
        "target_matchers": ['alertname=~"Xgen.+"', 'alertname!="XgenHostDown"'],
        "equal": ["project", "host"],
    }


def _weaker(stronger: str, weaker: str, equal: tuple[str, ...]) -> dict[str, object]:
    return {
        "source_matchers": [f'alertname="{stronger}"'],
        "target_matchers": [f'alertname="{weaker}"'],
        "equal": list(equal),
    }


def _receivers(alerts: Alerts, secrets: Mapping[str, str]) -> list[dict[str, object]]:
    receivers: list[dict[str, object]] = [{"name": _NOBODY}]
    if alerts.has_receiver:
        team: dict[str, object] = {"name": _TEAM}
        if alerts.webhook is not None:
            team["webhook_configs"] = [{"url": secrets["webhook"], "send_resolved": True}]
        if alerts.email is not None:
            team["email_configs"] = [_mail(alerts.email, secrets)]
        receivers.append(team)
    if alerts.heartbeat is not None:
        posts = [{"url": secrets["heartbeat"], "send_resolved": False}]
        receivers.append({"name": _HEARTBEAT, "webhook_configs": posts})
    return receivers


def _mail(email: Email, secrets: Mapping[str, str]) -> dict[str, object]:
    login = (
        {}
        if email.user is None
        else {"auth_username": email.user, "auth_password": secrets["email.password"]}
    )
    return {
        "to": email.to,
        "from": email.sender,
        "smarthost": email.smarthost,
        "require_tls": email.require_tls is not False,
        "send_resolved": True,
        **login,
    }
