"""What 0.1.0 left on a host (`sites/`), planned over by this version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.plan.deciding import desired_state
from tests.site_file import load_site
from tests.upgrade.released import SITES
from xgen_deploy.manifest.limit import limit
from xgen_deploy.plan.build import default_scope, make_plan
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.observation import Observation, observation_of
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.site import Site

HOST = "lab-upgrade"
CASES = ("systemd", "docker", "interrupted")


class OldSite:
    """`record` may be changed before `plan`."""

    def __init__(self, case: str) -> None:
        self.folder = SITES / case
        self.manifest = self.folder / "site.yaml"
        self.facts = HostFacts.model_validate_json((self.folder / "facts.json").read_text())
        self.record: dict[str, Any] = json.loads((self.folder / "record.json").read_text())

    def site(self) -> Site:
        return load_site(str(self.manifest))

    def observed(self) -> dict[str, Observation]:
        facts = self.facts.model_copy(update={"record": json.dumps(self.record)})
        layout = system_layout(self.record["project"])
        return {HOST: observation_of(HOST, facts, layout)}

    def wrote(self, digest: str) -> None:
        """Its (only) unit is another one, on the disk and in the record alike."""
        (one,) = self.record["instances"].values()
        one["files"] = dict.fromkeys(one["files"], digest)
        services = (s.model_copy(update={"sha256": digest}) for s in self.facts.services)
        self.facts = self.facts.model_copy(update={"services": tuple(services)})

    def stopped(self, unit: str) -> None:
        """By hand, with systemctl."""
        services = (
            s.model_copy(update={"state": "inactive"} if s.name == unit else {})
            for s in self.facts.services
        )
        self.facts = self.facts.model_copy(update={"services": tuple(services)})

    def plan(
        self, *, refresh: bool = False, manifest: Path | None = None, only: str | None = None
    ) -> Plan:
        """`only` is a model, as `--limit` takes it."""
        site = load_site(str(manifest or self.manifest))
        site = limit(site, (only,)) if only else site
        scopes = {HOST: default_scope(site, HOST, refresh=refresh)}
        return make_plan(site, self.observed(), desired_state(site), scopes, now=0.0)
