"""Case files that carry their own assertions: `#! COLUMN: part | part` at the end of a line."""

import re
from pathlib import Path

_ANNOTATION = re.compile(r"#! (\d+): (.*?)(?= #! |$)")
Expected = tuple[str, int, int, tuple[str, ...]]


def expected_problems(files: list[Path]) -> list[Expected]:
    """File, line, column and the parts that the message must hold, in the order of places."""
    found: list[Expected] = []
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for column, parts in _ANNOTATION.findall(line):
                wanted = tuple(part.strip() for part in parts.split(" | "))
                found.append((str(file), number, int(column), wanted))
    return sorted(found)
