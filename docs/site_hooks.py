"""Links of the pages to other files of the repository, and where they lead on the site.

In the repository a page links to ``../studies/titanic.toml`` and to ``../CONTRIBUTING.md``. The site has
these files below ``repository/``, Markdown as pages and everything else as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md", "studies/*.*")
OUTSIDE = re.compile(r"\]\(\.\./(?P<target>[^)]+)\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the files outside of docs/ that pages link to."""
    for pattern in LINKED:
        for path in sorted(ROOT.glob(pattern)):
            name = f"repository/{path.relative_to(ROOT).as_posix()}"
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to the copies, and links of the copies into docs/ back to the pages."""
    source = page.file.src_uri
    markdown = markdown.replace("```toml wrong\n", "```toml\n")  # tests read the second word, mkdocs does not
    if not source.startswith("repository/"):
        markdown = markdown.replace("](../studies)", "](gallery.md)")  # no page shows a folder
        return OUTSIDE.sub(r"](repository/\g<target>)", markdown)
    depth = source.count("/")
    markdown = re.sub(r"\]\((?:\.\./)?docs/", "](" + "../" * depth, markdown)
    # Source code, and what else no page shows: the words stay, the link goes.
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#|\.\./)(?![^)]*\.md)[^)]*\)", r"\1", markdown)
