"""Who takes what of a GPU's memory, once a plan is carried out."""

from dataclasses import dataclass

from xgen_deploy.state.forecast import Need

# What the driver takes of a GPU for a process that computes there, and no engine reports: 250 to
# 500 MiB with CUDA, by what users measured; see driver_memory.py. Never a reason to refuse.
CONTEXT = 300 << 20
_LITTLE = 512 << 20
_LITTLE_SHARE = 20  # 5 %


@dataclass(frozen=True, kw_only=True)
class Taker:
    """One instance. `bytes` None: not known. Of one that the plan changes `need` is the forecast,
    not `exact` where its compute buffers are an estimate, and `before` what it holds now.
    """

    instance: str
    bytes: int | None
    changes: bool = False
    need: Need | None = None
    exact: bool = True
    before: int = 0


@dataclass(frozen=True, kw_only=True)
class GPUMemory:
    """In bytes, None: not known. `others` are held by anything but this project's instances.
    `of_the_host`: it takes from the host's RAM. `driver` is what that takes for each process.
    `where` names the host where several are told at once.
    """

    gpu: str
    label: str
    total: int | None
    free: int | None
    reserved: int
    others: int | None
    takers: tuple[Taker, ...] = ()
    of_the_host: bool = False
    driver: int = CONTEXT
    where: str = ""

    @property
    def changes(self) -> bool:
        return any(taker.changes for taker in self.takers)

    @property
    def told(self) -> bool:
        """Whether it is known what any that is changed will take."""
        return any(taker.changes and taker.bytes is not None for taker in self.takers)

    @property
    def left(self) -> int | None:
        """Negative where it is short; at most so much where a taker is not known."""
        if self.total is None:
            return None
        taken = sum(taker.bytes or 0 for taker in self.takers)
        return self.total - self.reserved - (self.others or 0) - taken

    @property
    def at_most(self) -> bool:
        return self.others is None or any(taker.bytes is None for taker in self.takers)

    @property
    def little(self) -> int:
        """Less than this left is too little to be at ease."""
        return little_of(self.total or 0)


def little_of(total: int) -> int:
    return max(_LITTLE, total // _LITTLE_SHARE)
