"""Who fetches what, and who hands it to whom: cases/routes.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from xgen_deploy.files.routes import Candidate, NoRoute, routes
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.fetch import Leg

CASES = yaml.safe_load((Path(__file__).parent / "cases/routes.yaml").read_text())
FILE = ArtifactFile(path="m.gguf", size=5, sha256="a" * 64)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_routes(case: dict[str, Any]) -> None:
    artifact = Artifact(
        name="m",
        kind=case.get("kind", "hub"),
        origin="hub.example.net",
        files=(FILE,),
        gated=case.get("gated", False),
        through=case.get("through"),
    )
    candidates = [Candidate(**host) for host in case["hosts"]]
    if "refused" in case:
        with pytest.raises(NoRoute) as refused:
            routes(artifact, candidates)
        reason, hint = case["refused"].split(" | ")
        assert f"{refused.value.host}: {refused.value.reason}".startswith(reason)
        assert hint in refused.value.hint
        return
    chains = routes(artifact, candidates)
    assert [[_said(leg) for leg in chain] for chain in chains] == case["chains"]


def _said(leg: Leg) -> str:
    before = f" < {leg.before}" if leg.before else ""
    because = f": {leg.because}" if leg.because else ""
    return f"{leg.host} {leg.route}{before}{' +token' if leg.token else ''}{because}"
