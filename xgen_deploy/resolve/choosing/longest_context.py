"""The longest context that fits. Pure."""

from collections.abc import Callable

_STEP = 256  # what engines round a context up to


def longest_context(fits: Callable[[int], bool], least: int, most: int) -> int | None:
    """Between these, in whole steps but for the ends; None where not even the least fits."""
    if fits(most):
        return most
    if least >= most or not fits(least):
        return None
    low, high = least // _STEP, -(-most // _STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * _STEP) else (low, middle)
    return max(least, low * _STEP)
