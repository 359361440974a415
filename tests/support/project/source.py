"""What does the source say? Files of the product and of the tests, each parsed once."""

import ast
import gc
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[2]
SOURCE = TESTS.parent / "src" / "cloudgate"


@cache
def modules(folder: Path = SOURCE) -> dict[str, ast.Module]:
    """The modules below a folder, by their path from there. Nobody changes them."""
    # Half a million objects that stay: looking through them for garbage takes longer than to parse.
    gc.disable()
    try:
        return {
            str(path.relative_to(folder)): ast.parse(path.read_text("utf-8"))
            for path in sorted(folder.rglob("*.py"))
        }
    finally:
        gc.freeze()
        gc.enable()


@cache
def nodes(folder: Path = SOURCE) -> dict[str, tuple[ast.AST, ...]]:
    """All that is in the modules below a folder, by their path from there."""
    return {name: tuple(ast.walk(module)) for name, module in modules(folder).items()}
