import pytest

from xgen_deploy.backends.sampling import chosen
from xgen_deploy.state.settings import Sampling

PROFILES = {
    "creative": (0.9, 0.95, 50),
    "balanced": (0.7, 0.9, 40),
    "precise": (0.3, 0.8, 20),
    "deterministic": (0.0, 1.0, 1),
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_three_values(name: str) -> None:
    found = chosen(Sampling.model_validate({"profile": name}))
    assert (found.temperature, found.top_p, found.top_k) == PROFILES[name]
    assert (found.repeat_penalty, found.max_tokens) == (None, None)


def test_what_is_stated_goes_over_the_profile() -> None:
    found = chosen(Sampling(profile="creative", temperature=0.0, max_tokens=64))
    assert (found.temperature, found.top_p, found.max_tokens) == (0.0, 0.95, 64)


def test_nothing_stated_is_left_to_the_engine() -> None:
    assert chosen(Sampling()) == Sampling()
