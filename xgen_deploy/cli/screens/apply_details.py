"""The screen of `xgen-deploy history MANIFEST N`: what one apply changed, and what failed. Pure."""

from collections.abc import Iterator, Mapping

from rich.markup import escape

from xgen_deploy.state.record import ApplyRecord

_Told = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...]]


def apply_lines(per: Mapping[str, ApplyRecord]) -> Iterator[str]:
    """Lines with markup, below those of the table; hosts that had the same share them."""
    alike: dict[_Told, list[str]] = {}
    for host, apply in per.items():
        told = (apply.changes, apply.values, tuple(apply.failures.items()))
        alike.setdefault(told, []).append(host)
    for (changes, values, failures), hosts in alike.items():
        yield ""
        yield f"[bold]{escape(', '.join(hosts))}[/bold]"
        for change in changes or ("nothing was changed here",):
            yield f"  {escape(change)}"
        yield from (f"    [dim]{escape(value)}[/dim]" for value in values)
        for instance, reason in failures:
            yield f"  [red]FAILED[/red]  {escape(instance)}: {escape(reason)}"
