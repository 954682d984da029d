"""Lines out of the pieces in which a process's output arrives."""


class Lines:
    """Of at most `limit` bytes each."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def add(self, piece: bytes) -> list[bytes]:
        """The lines that this piece ends. Raises ConnectionError where one is too long."""
        head, found, tail = piece.rpartition(b"\n")
        if not found:
            self._rest += piece
            lines = []
        else:
            lines = (bytes(self._rest) + head).split(b"\n")
            self._rest = bytearray(tail)
        if max(len(self._rest), *map(len, lines), 0) > self._limit:
            raise ConnectionError(f"it sent a line of more than {self._limit >> 20} MiB")
        return lines
