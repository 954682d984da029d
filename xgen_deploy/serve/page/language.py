"""The page's texts, in the language that the browser asks for."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

from starlette.requests import Request

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
COOKIE = "xgen-language"


class Texts:
    """`texts.hosts` is a text; `texts.say("memory_of", used=…)` one with values in it."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = _texts(language)

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(name) from None

    def of(self, name: str) -> str:
        """The text of this name."""
        return self._texts[name]

    def say(self, name: str, /, **values: object) -> str:
        return self._texts[name].format(**values)

    @property
    def other(self) -> Language:
        """What the link for another language leads to."""
        return "en" if self.language == "ko" else "ko"


def language_of(request: Request) -> Language:
    """The one that was chosen here, else the first known one of the browser's."""
    chosen = request.cookies.get(COOKIE)
    accepted = request.headers.get("accept-language", "")
    asked = [part.partition(";")[0].strip().lower()[:2] for part in accepted.split(",")]
    known = [language for language in (chosen, *asked) if language in LANGUAGES]
    return "ko" if known[:1] == ["ko"] else "en"


@lru_cache
def _texts(language: Language) -> Mapping[str, str]:
    folder = files("xgen_deploy.serve.page").joinpath("texts")
    texts: Mapping[str, str] = json.loads(
        folder.joinpath(f"{language}.json").read_text(encoding="utf-8")
    )
    return texts
