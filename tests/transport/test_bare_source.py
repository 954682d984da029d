"""What travels to a host is the program that its source is, but for what nobody reads there."""

import ast
from pathlib import Path

import pytest

import xgen_deploy
from xgen_deploy.transport.bare_source import bare

ROOT = Path(xgen_deploy.__file__).parent
SOURCES = [ROOT / "bounded_json.py", *sorted(ROOT.glob("*/remote/*.py"))]


def without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            ast.get_docstring(node) is not None
        ):
            node.body[0] = ast.Expr(ast.Constant(""))
    return ast.dump(tree)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_is_the_same_program(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    short = bare(source)
    assert without_docstrings(short) == without_docstrings(source)
    assert len(short) <= len(source)
    assert not any(line.strip().startswith("#") for line in short.splitlines())
