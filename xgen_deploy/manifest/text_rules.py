"""Characters that no text in a manifest may have, because it reaches units and command lines."""

from unicodedata import category

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.node import ListNode, MapNode, Node, ScalarNode
from xgen_deploy.state.instance_config import Mark

# Unicode categories: controls, halves of pairs, line and paragraph separators.
REFUSED = ("Cc", "Cs", "Zl", "Zp")
# Their texts may be templates or JSON for the engine.
AS_THEY_ARE = frozenset({"env", "args", "extra_args"})


def refuse_control_characters(node: Node, problems: Problems) -> None:
    """Reports line breaks and other control characters in keys and values."""
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            _check(key, entry.mark, problems)
            refuse_control_characters(entry.node, problems)
    elif isinstance(node, ListNode):
        for item in node.items:
            refuse_control_characters(item, problems)
    elif isinstance(node, ScalarNode) and isinstance(node.value, str):
        _check(node.value, node.mark, problems)


def refuse_tags(node: Node, problems: Problems) -> None:
    """Reports `!vault` and other application tags."""
    if node.tag:
        problems.add(node.mark, f"the tag `{node.tag}` is not supported; write the value itself")
    if isinstance(node, MapNode):
        for entry in node.entries.values():
            refuse_tags(entry.node, problems)
    elif isinstance(node, ListNode):
        for item in node.items:
            refuse_tags(item, problems)


def refuse_templates(node: Node, problems: Problems) -> None:
    """Reports Jinja, which nothing here evaluates, outside of what reaches an engine as it is."""
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            if key not in AS_THEY_ARE:
                refuse_templates(ScalarNode(key, key, entry.mark), problems)
                refuse_templates(entry.node, problems)
    elif isinstance(node, ListNode):
        for item in node.items:
            refuse_templates(item, problems)
    elif any(sign in node.text for sign in ("{{", "{%")):
        problems.add(
            node.mark, f"Jinja is not evaluated (`{node.text[:60]}`); write the value itself"
        )


def _check(text: str, mark: Mark, problems: Problems) -> None:
    for character in text:
        if category(character) in REFUSED:
            what = "a line break" if character in "\n\r\x85\u2028\u2029" else _named(character)
            problems.add(mark, f"this text has {what}; use one line of printable text")
            return


def _named(character: str) -> str:
    return "a tab" if character == "\t" else f"the control character U+{ord(character):04X}"
