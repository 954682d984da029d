"""Where a GPU's index may mean another card than when it was applied."""

from collections.abc import Container
from dataclasses import dataclass, field

_EVERY = range(1 << 16)


@dataclass(frozen=True)
class Repin:
    """Everywhere, or for these indices of these hosts."""

    everywhere: bool = False
    cards: frozenset[tuple[str, int]] = field(default_factory=frozenset)

    def on(self, host: str) -> Container[int]:
        """The indices of a host that may mean another card."""
        if self.everywhere:
            return _EVERY
        return frozenset(index for name, index in self.cards if name == host)

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.cards)


NO_REPIN = Repin()
