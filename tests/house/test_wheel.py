"""The wheel: everything in it, and working where no checkout is near."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["src", "alembic", "pyproject.toml", "setup.py", "MANIFEST.in"]
PARTS += ["README.md", "CHANGELOG.md", "LICENSE"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that nothing an earlier build left behind can slip in."""
    source = tmp_path_factory.mktemp("source")
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part, ignore=junk)
        else:
            shutil.copy(ROOT / part, source / part)
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            target,
            source,
        ],
        check=True,
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel; what it depends on is borrowed from ours."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel], check=True
    )
    (site,) = (home / "lib").glob("python*/site-packages")
    # A plain path entry: our own editable install is not followed through it.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(
        [str(installed / arguments[0]), *arguments[1:]], cwd=cwd, env=clean, capture_output=True, text=True
    )


def test_every_file_is_in_the_wheel(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "satisfice").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert sorted(ours - packed) == []
    scripts = {
        f"satisfice/store/migrations/{path.relative_to(ROOT / 'alembic').as_posix()}"
        for path in (ROOT / "alembic").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert len(scripts) >= 4
    assert sorted(scripts - packed) == []


def test_only_the_package_is_in_the_wheel(wheel: Path) -> None:
    roots = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"satisfice"}


def test_migrations_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    where = run(
        installed, tmp_path, "python", "-c", "import satisfice.store.migrate as m; print(m.scripts())"
    )
    assert where.stdout.strip().endswith("satisfice/store/migrations"), where.stderr
    assert str(ROOT) not in where.stdout

    done = run(installed, tmp_path, "satisfice", "db", "upgrade", "--storage", "sqlite:///here.db")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.db").stat().st_size > 0
    told = run(installed, tmp_path, "satisfice", "db", "current", "--storage", "sqlite:///here.db")
    assert told.returncode == 0, told.stderr
    assert "(the newest)" in told.stdout
