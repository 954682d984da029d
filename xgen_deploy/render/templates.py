"""Jinja over template texts that were read elsewhere. Pure."""

from collections.abc import Mapping

from jinja2 import DictLoader, Environment, StrictUndefined

from xgen_deploy.render import quoting


class Templates:
    """Renders templates by name. A missing value is an error, never an empty string."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._jinja = Environment(
            loader=DictLoader(dict(texts)),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - units and argument lists, never HTML
            keep_trailing_newline=True,
        )
        self._jinja.filters |= {
            "unit": quoting.unit_text,
            "unit_argv": quoting.unit_argv,
            "quoted": quoting.environment_quoted,
            "program_argv": quoting.program_argv,
            "program_text": quoting.program_text,
            "shell_quoted": quoting.shell_quoted,
            "line": quoting.one_line,
            "haproxy": quoting.haproxy_quoted,
            "number": _number,
        }
        self._of_arguments = self._jinja.overlay(finalize=_checked)

    def raw(self, name: str) -> str:
        """A text that is not a template: a program that is written to a host unchanged."""
        return self._texts[name]

    def text(self, name: str, values: Mapping[str, object]) -> str:
        """A file's content."""
        return self._jinja.get_template(name).render(values)

    def arguments(self, name: str, values: Mapping[str, object]) -> tuple[str, ...]:
        """A template with one option a line, as argv. An option is split from its value at the
        first space; a line that does not begin with `-` is one argument.

        Raises ValueError when a value would add a line.
        """
        template = self._of_arguments.get_template(name)
        argv: list[str] = []
        for line in template.render(values).split("\n"):
            if line:
                argv += line.split(" ", 1) if line.startswith("-") else [line]
        return tuple(argv)


def _checked(value: object) -> object:
    return quoting.one_line(value) if isinstance(value, str) else value


def _number(value: float) -> str:
    """Without a trailing `.0`, as a person writes it."""
    return f"{value:g}"
