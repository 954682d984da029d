"""Sampling: a named profile and the values beside it, as one set of values."""

from xgen_deploy.state.settings import Sampling

_PROFILES = {
    "creative": Sampling(temperature=0.9, top_p=0.95, top_k=50),
    "balanced": Sampling(temperature=0.7, top_p=0.9, top_k=40),
    "precise": Sampling(temperature=0.3, top_p=0.8, top_k=20),
    "deterministic": Sampling(temperature=0.0, top_p=1.0, top_k=1),
}


def chosen(sampling: Sampling) -> Sampling:
    """The profile's values with the stated ones over them; None leaves the engine's own."""
    profile = _PROFILES.get(sampling.profile or "", Sampling())
    stated = sampling.model_dump(exclude_none=True, exclude={"profile"})
    return profile.model_copy(update=stated)
