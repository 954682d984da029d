"""`fit … --quantize TYPE`: of the file that `quantize:` would make of another."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from xgen_deploy import frozen
from xgen_deploy.backends.llama_fit import Told
from xgen_deploy.documents.fit import QuantizedEntry
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.resolve.fitting.rows import Row
from xgen_deploy.resolve.quantized import quantized_header
from xgen_deploy.resolve.quantized_size import MIB, SLAB, CannotQuantize, memory_of, outcome_of
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.quantize import file_type_of

CHOSEN = "the types of its tensors are those that llama-quantize b11669 chooses"


class CannotBeMade(XgenError):
    """Of that file; the text says why."""


def quantized_here(model: ModelFacts, stated: str) -> tuple[ModelFacts, QuantizedEntry]:
    """What would be made of a model that lies here. Raises CannotBeMade, UsageError."""
    try:
        file_type = file_type_of(stated)
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        outcome = outcome_of(model, file_type)
    except CannotQuantize as error:
        reason = f"it cannot be made {file_type}: {error.reason}. {error.hint}"
        raise CannotBeMade(f"{model.path}: {reason}") from None
    entry = QuantizedEntry(
        file_type=file_type,
        about_mib=round(outcome.size / MIB, 4),
        memory_mib=round(memory_of(outcome.buffer, SLAB) / MIB, 4),
    )
    header = quantized_header(model.gguf, file_type)
    return frozen.replace(model, size=outcome.size, gguf=header), entry


def rows_of_made(rows: Iterable[Row], made: QuantizedEntry) -> Iterator[Row]:
    """None of them is exact: the file is not there yet."""
    for row in rows:
        told = row.forecast and frozen.replace(row.forecast, exact=False)
        yield frozen.replace(row, forecast=told, made=made.file_type)


def as_estimate(told: Told) -> Told:
    confidence = "estimate" if told.confidence == "exact" else told.confidence
    return replace(told, confidence=confidence, notes=(CHOSEN, *told.notes))
