"""What `quantize:` may say of a model, and what a host is to make of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

# By llama-quantize's names, `general.file_type` of what comes out.
FILE_TYPES = {
    "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q5_K_S": 16, "Q5_1": 9, "Q5_0": 8, "Q4_K_M": 15,
    "Q4_K_S": 14, "Q4_1": 3, "Q4_0": 2, "IQ4_NL": 25, "IQ4_XS": 30, "IQ3_M": 27, "IQ3_S": 26,
    "Q3_K_L": 13, "Q3_K_M": 12, "Q3_K_S": 11, "Q2_K": 10,
}  # fmt: skip
_ALSO = {"Q5_K": "Q5_K_M", "Q4_K": "Q4_K_M", "Q3_K": "Q3_K_M"}
_WITH_MATRIX = (
    "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "Q2_K_S"
)  # fmt: skip


def file_type_of(value: object) -> str:
    """Its own name. Raises ValueError with what is wrong."""
    if isinstance(value, dict):
        raise ValueError(
            "`quantize` is one type, such as Q4_K_M. An importance matrix is not taken: what it "
            "is worth depends on the texts that it was made from; take a file that was quantized "
            "with one"
        )
    name = str(value).upper().replace("-", "_")
    name = _ALSO.get(name, name)
    if name in _WITH_MATRIX:
        raise ValueError(
            f"{name} needs an importance matrix, which this tool does not have; take a file that "
            "was quantized with one"
        )
    if name not in FILE_TYPES:
        raise ValueError(f"`quantize` is one of {', '.join(FILE_TYPES)}")
    return name


QuantizeType = Annotated[
    str,
    BeforeValidator(file_type_of),
    WithJsonSchema({"enum": [*FILE_TYPES], "type": "string"}),
]


@dataclass(frozen=True, kw_only=True)
class Quantizing:
    """One file that llama.cpp's quantizer is to make on a host, of `source`, which is there or will
    be (of several parts the first). `place` is decided by the recipe: what the source is, the type,
    and the quantizer's version.

    `size`, `memory` (both in bytes) and `seconds` are estimates. `sha256` are those that files of
    the source must have, where it is not known that they do. `engine` is a llama-server that loads
    the result before it counts. `requantizes`: the source is quantized already. `slab` is the most
    MiB of one tensor that the quantizer is to hold, 0: it is not asked. `as_login`: it runs with
    the login's rights.
    """

    host: str
    instances: tuple[str, ...]
    name: str
    file_type: str
    source: str
    source_size: int
    sha256: Mapping[str, str]
    origin: str
    root: str
    place: str
    recipe: str
    source_state: str
    program: str
    version: str
    engine: str | None
    requantizes: bool
    size: int
    memory: int
    seconds: float
    threads: int
    slab: int
    as_login: bool
    free: int | None = None

    @property
    def title(self) -> str:
        return f"{self.name} as {self.file_type}"
