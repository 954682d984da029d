"""JSON of a host is refused with a ValueError before it can hurt."""

import pytest

from xgen_deploy.bounded_json import DEEPEST, MOST_VALUES, read_json

LIMIT = 16 << 20


@pytest.mark.parametrize("text", ['{"a": [1, -2.5, null, "x,[{"]}', b'{"a": 18446744073709551615}'])
def test_what_is_usual_is_read(text: str | bytes) -> None:
    assert "a" in read_json(text, LIMIT)


@pytest.mark.parametrize("deep", [DEEPEST + 2, 5_000, 200_000])
@pytest.mark.parametrize("sign", ["[]", "{}"])
def test_deep_nesting(deep: int, sign: str) -> None:
    text = "[" * deep + "]" * deep if sign == "[]" else '{"a":' * deep + "1" + "}" * deep
    with pytest.raises(ValueError, match="nested deeper"):
        read_json(text, LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        '{"format": Infinity}',
        "9" * 21,
        "1e999",
        "0." + "1" * 70,
        "[",
        "",
        b"\xff",
    ],
)
def test_what_is_no_number_or_no_json(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_json(text, LIMIT)


def test_too_long_and_too_many() -> None:
    with pytest.raises(ValueError, match="longer than 1 MiB"):
        read_json(" " * (1 << 20) + "1", 1 << 20)
    with pytest.raises(ValueError, match="values"):
        read_json("[" + "[]," * MOST_VALUES + "1]", LIMIT)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert read_json("[" * DEEPEST + "]" * DEEPEST, LIMIT) is not None
