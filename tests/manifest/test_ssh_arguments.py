from pathlib import Path
from typing import Any

import pytest
import yaml

from xgen_deploy.manifest.inventory.ssh_arguments import SSHArguments, ssh_arguments

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "ssh_arguments.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["arguments"])
def test_what_an_inventory_gives_to_ssh(case: dict[str, Any]) -> None:
    if "refused" in case:
        with pytest.raises(ValueError) as error:  # noqa: PT011
            ssh_arguments(case["arguments"])
        assert case["refused"] in str(error.value)
        return
    settings = tuple((key, value) for key, value in case.get("settings", ()))
    assert ssh_arguments(case["arguments"]) == SSHArguments(tuple(case.get("jumps", ())), settings)
