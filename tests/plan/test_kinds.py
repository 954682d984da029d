"""Every kind of operation has a word of the contract."""

import pytest

from xgen_deploy.state.plan import Kind, Operation

CONTRACT = {"create", "update", "repair", "restart", "remove", "stop", "start"}


@pytest.mark.parametrize("kind", Kind)
def test_its_action_is_one_of_the_contract(kind: Kind) -> None:
    assert Operation(id="h/q", host="h", name="q", kind=kind, cause="").action in CONTRACT
