"""What engines say of requests under way, in the form of their own metrics pages."""

import pytest

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.registry import ENGINES, backend_named
from xgen_deploy.watchdog.remote import total

LLAMA = """# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing {0}
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred {1}
llamacpp:tokens_predicted_total 512
"""
VLLM = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="big"}} {0}.0
vllm:num_requests_waiting{{engine="0",model_name="big"}} {1}.0
vllm:num_requests_waiting_by_reason{{engine="0",model_name="big",reason="capacity"}} 7.0
vllm:generation_tokens_total{{engine="0",model_name="big"}} 1.2e+06
"""


@pytest.mark.parametrize(("name", "page"), [("llama-server-cpu", LLAMA), ("vllm-cuda", VLLM)])
@pytest.mark.parametrize(("works", "waits"), [(0, 0), (1, 0), (2, 3)])
def test_works_on_and_waiting_count(name: str, page: str, works: int, waits: int) -> None:
    engine = backend_named(name)
    assert engine is not None
    assert total(engine.in_flight, page.format(works, waits)) == works + waits


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("page", ["", '{"error": "not enabled"}', "llamacpp:n_decode_total 3\n"])
def test_an_engine_that_does_not_say(engine: Backend, page: str) -> None:
    assert total(engine.in_flight, page) is None
