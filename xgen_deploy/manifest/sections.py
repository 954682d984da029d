"""A manifest's sections, validated against the schema. A wrong part is reported and left out, so
that the rest is checked too."""

from dataclasses import dataclass

from pydantic import ValidationError

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.node import (
    Entry,
    MapNode,
    Node,
    Path,
    ScalarNode,
    is_null,
    plain,
    without,
    without_nulls,
)
from xgen_deploy.manifest.schema import Manifest
from xgen_deploy.state.engine_words import EngineWords


@dataclass(frozen=True)
class Sections:
    """`written` is the merged tree, `sound` the same without its wrong parts, both with nulls;
    `manifest` is `sound` as values; `words` are the engines that may be named."""

    written: MapNode
    sound: MapNode
    manifest: Manifest
    words: EngineWords

    def names(self, section: str) -> dict[str, Entry]:
        """The entries of a section as written, without those that null resets."""
        node = self.written.get(section)
        entries = node.entries if isinstance(node, MapNode) else {}
        return {name: entry for name, entry in entries.items() if not is_null(entry.node)}

    def part(self, section: str) -> MapNode:
        node = self.sound.get(section)
        return node if isinstance(node, MapNode) else MapNode({}, self.sound.mark)


def read_sections(written: MapNode, words: EngineWords, problems: Problems) -> Sections:
    """Raises ManifestError only where nothing sound is left."""
    sound = written
    for _ in range(8):
        stated = without_nulls(sound)
        try:
            manifest = Manifest.model_validate(plain(stated), context=words)
        except ValidationError as error:
            wrong = report(error, stated, Manifest, problems)
            sound = _filled(without(sound, {_cut(path) for path in wrong}))
        else:
            return Sections(written, sound, manifest, words)
    problems.raise_if_any()
    raise AssertionError("a manifest without problems is valid")


def _cut(path: Path) -> Path:
    """A placement without a model or a usable name is left out as a whole; a prompt and
    what mail is sent with too."""
    match path:
        case ("models", model, "accept", "prompts", at, *_):
            return ("models", model, "accept", "prompts", at)
        case ("hosts", host, at, "model" | "name"):
            return ("hosts", host, at)
        case ("monitoring", "alerts", "email", *_):
            return path[:3]
        case ("monitoring", "host"):
            return path[:1]
    return path


def _filled(node: MapNode) -> MapNode:
    """Missing required sections, already reported, are replaced by empty ones."""
    mark = node.mark
    empty: dict[str, Node] = {
        "project": ScalarNode("unnamed", "", mark),
        "models": MapNode({}, mark),
        "hosts": MapNode({}, mark),
    }
    absent = {k: Entry(mark, value) for k, value in empty.items() if is_null(node.get(k))}
    return MapNode({**node.entries, **absent}, mark)
