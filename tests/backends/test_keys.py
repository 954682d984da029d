"""An API key reaches its engine in a file that means what was meant, whatever is in the key."""

import pytest
import yaml

from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates

AWKWARD = ["plain", 'quo"te', "back\\slash", "<&>'", "{{ x }}", "a: [b]", "# no comment", "ü"]


@pytest.mark.parametrize("key", AWKWARD)
def test_vllm_reads_the_key_that_was_meant(key: str) -> None:
    text = Templates(read_templates()).text("vllm-key.yaml.j2", {"key": key})
    assert yaml.safe_load(text) == {"api-key": [key]}


@pytest.mark.parametrize("key", AWKWARD)
def test_llama_server_reads_the_key_as_one_line(key: str) -> None:
    assert Templates(read_templates()).text("api-key.j2", {"key": key}) == f"{key}\n"
