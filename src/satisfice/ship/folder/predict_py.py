"""Making ``predict.py``: the reader of rows as one file, from the sources that satisfice itself runs."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

# In the order in which they need one another.
MODULES = (
    "satisfice.data.reading.text",
    "satisfice.data.reading.cells",
    "satisfice.data.pictures.resize",
    "satisfice.data.pictures.decode",
    "satisfice.ship.runtime",
    "satisfice.ship.folder.description",
    "satisfice.ship.folder.parse",
    "satisfice.ship.folder.pictures",
    "satisfice.ship.folder.pipeline",
    "satisfice.ship.folder.rows_of_files",
    "satisfice.ship.folder.standalone",
)
_HEAD = '''"""Answers of the model in this folder, from raw rows. It needs numpy and onnxruntime.

    python predict.py FILE      one JSON line for each row of a CSV file, an .npy file or a picture
    python predict.py --golden  the answers of golden.json again; exit code 1 where they differ
"""

from __future__ import annotations

'''
_ERROR = '''

class InputError(Exception):
    """The input is wrong; the hint says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
'''
_TAIL = """

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent))
"""


def predict_py() -> str:
    """The source of ``predict.py``; the same for every model."""
    imports: set[str] = set()
    bodies = []
    for name in MODULES:
        found, body = _parts(name)
        imports |= found
        bodies.append(f"\n\n# {name}\n\n{body}")
    plain = sorted(line for line in imports if line.startswith("import "))
    chosen = sorted(line for line in imports if line.startswith("from "))
    top = "\n".join([*plain, *chosen])
    return f"{_HEAD}{top}\n{_ERROR}{''.join(bodies)}{_TAIL}"


def _parts(name: str) -> tuple[set[str], str]:
    """What a module imports from elsewhere, one name a line, and its source without imports and docstring."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    lines = source.splitlines()
    imports: set[str] = set()
    for at, node in enumerate(ast.parse(source).body):
        imported = isinstance(node, ast.Import | ast.ImportFrom)
        docstring = at == 0 and isinstance(node, ast.Expr)
        if isinstance(node, ast.Import):
            imports |= {ast.unparse(ast.Import([each])) for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            ours = str(node.module).startswith("satisfice")
            imports |= (
                set() if ours else {ast.unparse(ast.ImportFrom(node.module, [e], 0)) for e in node.names}
            )
        if imported or docstring:
            for line in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[line] = ""
    return imports, "\n".join(lines).strip() + "\n"
