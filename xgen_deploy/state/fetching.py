"""How a fetch goes that went on alone on a host, from one observation of it. Pure."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.state.facts import FetchingFacts
from xgen_deploy.visible import on_one_line

_LARGEST = 1 << 18
_MOST = 10_000

Count = Annotated[int, Field(ge=0, le=1 << 60)]
Words = Annotated[str, Field(max_length=1000)]


class FetchingJob(BaseModel):
    """One model or build. `here` are bytes that were there before it began, `came` those since,
    in `seconds`. `text` is what it waits for, or why it failed."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: Words
    size: Count
    here: Count = 0
    came: Count = 0
    seconds: Annotated[float, Field(ge=0)] = 0.0
    state: Literal["waiting", "running", "done", "failed"]
    text: Words = ""

    @property
    def there(self) -> int:
        return min(self.size, self.here + self.came)


class Fetching(Frozen):
    """`alive`: it still runs; else it was cut, or some of it failed."""

    alive: bool
    began: Moment
    jobs: Annotated[tuple[FetchingJob, ...], Field(max_length=_MOST)]

    @property
    def failed(self) -> tuple[FetchingJob, ...]:
        """What it has not brought, and will not."""
        bad = ("failed",) if self.alive else ("failed", "running", "waiting")
        return tuple(job for job in self.jobs if job.state in bad)

    @property
    def under_way(self) -> FetchingJob | None:
        return next((j for j in self.jobs if self.alive and j.state == "running"), None)

    @property
    def to_come(self) -> int:
        """How many wait for the one that is under way."""
        return sum(self.alive and job.state == "waiting" for job in self.jobs)


def fetching_status(facts: FetchingFacts | None) -> Fetching | None:
    """None where there is none, or it ended and cannot be read."""
    if facts is None:
        return None
    unread = Fetching(alive=True, began=0, jobs=()) if facts.alive else None
    try:
        state = on_one_line(read_json(facts.state, _LARGEST))
        if not isinstance(state, dict):
            return unread
        return Fetching.model_validate({**state, "alive": facts.alive})
    except (ValueError, ValidationError):
        return unread


def why_failed(job: FetchingJob) -> str:
    """As a clause."""
    if job.state == "failed":
        return job.text or "it failed"
    return "it was cut; `xgen-deploy fetch` goes on where it was"
