"""Answers that go on: one user alone does not use up what there is for all."""

from collections import Counter
from collections.abc import AsyncIterator

from fastapi import HTTPException

from xgen_deploy.serve.security.users import User

MOST = 200  # of a user


class OpenStreams:
    """Counted on the event loop alone."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def refuse_too_many(self, user: User) -> None:
        """Raises HTTPException."""
        if self._open[user.name] >= MOST:
            raise HTTPException(503, f"{user.name} has too many pages open")

    async def counted(self, user: User, text: AsyncIterator[str]) -> AsyncIterator[str]:
        self._open[user.name] += 1
        try:
            async for piece in text:
                yield piece
        finally:
            self._open[user.name] -= 1
