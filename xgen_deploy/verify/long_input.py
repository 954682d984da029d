"""A long input to an embedding model or a reranker: one that answers `Hello` may fail on what it is
there for.
"""

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.smoke_request import openai_input
from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.instance import Instance
from xgen_deploy.transport.base import Reply, Session
from xgen_deploy.verify.checks import ask, wrong_with

_SAMPLE = 32
_LEAST = 256
# Without a GPU a longer one takes minutes.
_MOST_ON_CPU = 2048
_MOST = 1 << 17


def long_input(
    instance: Instance, backend: Backend, session: Session, api_key: SecretText | None
) -> str:
    """What was wrong with the answer to an input almost as long as n_ctx; "" where it was good, or
    where the engine does not tell how many tokens it reads. Raises HostError.
    """
    spec, longest = instance.spec, backend.longest_input(instance)
    if spec.type == "llm" or longest is None:
        return ""
    on_gpu = bool(instance.gpus) and not instance.software_gpu
    longest = min(longest, _MOST if on_gpu else _MOST_ON_CPU)
    if longest < _LEAST:
        return ""

    def answer(words: int) -> tuple[str, int | None]:
        request = openai_input(spec.model, spec.type, " ".join(["a"] * words))
        reply = ask(request, session, spec.listen, spec.port, api_key)
        return wrong_with(request, reply), _tokens(reply)

    wrong, tokens = answer(_SAMPLE)
    if wrong or tokens is None:
        return wrong
    words = min(_SAMPLE * longest // tokens, longest)
    wrong, read = answer(words)
    if wrong:
        return f"an input of some {longest} tokens, as n_ctx allows, failed: {wrong}"
    expected = words * tokens // _SAMPLE
    if read is not None and read < expected // 2:
        return f"of an input of some {expected} tokens, as n_ctx allows, it read {read}"
    return ""


def _tokens(reply: Reply) -> int | None:
    """How many it says that it read."""
    try:
        usage = read_json(reply.body, PAGE)["usage"]
        tokens = usage.get("prompt_tokens") or usage.get("total_tokens")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return tokens if isinstance(tokens, int) and tokens > 0 else None
