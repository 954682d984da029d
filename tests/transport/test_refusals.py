import pytest

from tests.transport.cases import load
from xgen_deploy.transport.refusals import explain


@pytest.mark.parametrize("case", load("refusals"), ids=lambda case: case["says"][0])
def test_what_the_reader_is_told(case):
    stdout, stderr = case.get("stdout", "").encode(), case.get("stderr", "").encode()
    message = str(explain("gpu-a", "ada", case["status"], stdout, stderr))
    assert message.startswith("gpu-a: ")
    for part in case["says"]:
        assert part in message
