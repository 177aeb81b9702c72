"""Puts the migration scripts of ``alembic/`` into the wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMigrations(build_py):
    """Copies ``alembic/`` to ``satisfice/store/migrations``, where an installed satisfice looks for it."""

    def run(self) -> None:
        """Build as usual, then copy. An editable install reads the checkout instead."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "satisfice" / "store" / "migrations"
            compiled = shutil.ignore_patterns("__pycache__")
            shutil.copytree("alembic", target, ignore=compiled, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithMigrations})
