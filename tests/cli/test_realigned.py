from xgen_deploy.cli.screens.realigned import realigned

_NAMES = {"gpu-h": "host-1", "a-very-long-name": "host-2", "q": "model-name-1"}


def _replace(text: str) -> str:
    return " ".join(_NAMES.get(word, word) for word in text.split(" "))


def test_columns_stand_below_each_other_after_words_became_longer_or_shorter() -> None:
    before = [
        "HOST              INSTANCE  STATE    SINCE",
        "gpu-h             q         running  3 min",
        "a-very-long-name  r         FAILED   ",
        "a-very-long-name  UNREACHABLE  port 22: a-very-long-name timed out",
        "",
        "gpu-h/q    a sentence of   its own",
    ]
    assert realigned(before, _replace) == [
        "HOST    INSTANCE      STATE    SINCE",
        "host-1  model-name-1  running  3 min",
        "host-2  r             FAILED",
        "host-2  UNREACHABLE  port 22: host-2 timed out",
        "",
        "gpu-h/q  a sentence of  its own",
    ]


def test_an_indent_stays() -> None:
    assert realigned(["  q  x", "    q  x"], _replace) == [
        "  model-name-1  x",
        "    model-name-1  x",
    ]
