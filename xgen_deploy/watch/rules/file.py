"""The file of rules: the same for every manifest, since objectives are metrics too. Pure."""

from xgen_deploy.watch.rules.alert import Alert
from xgen_deploy.watch.rules.availability import AVAILABILITY
from xgen_deploy.watch.rules.gpus import GPUS
from xgen_deploy.watch.rules.planned import PLANNED
from xgen_deploy.watch.rules.requests import REQUESTS
from xgen_deploy.watch.rules.upkeep import UPKEEP
from xgen_deploy.watch.yaml_text import yaml_text

GROUPS = (PLANNED, AVAILABILITY, REQUESTS, GPUS, UPKEEP)
ALERTS = tuple(rule for group in GROUPS for rule in group.rules if isinstance(rule, Alert))


def rules_file() -> str:
    return yaml_text({"groups": [group.entry for group in GROUPS]})
