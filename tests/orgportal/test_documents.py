"""What the documents say exists: links, files, commands, targets, settings; and every module has its line."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from orgportal.env import VARIABLES
from tests.portals import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "bench/*.md", "orgportal/*.md", "accounts/*.md", "tenants/*.md")
    for path in ROOT.glob(pattern)
)
APPS = ["orgportal", "accounts", "tenants"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[\w.*-]+(/[\w.*-]+)*(/|\.(py|md|html|css|js|sh|svg|toml|txt))")
MADE_AT_RUN_TIME = {"var/"}
# In capitals, but no settings: of HTTP, of commands' arguments, of the endpoints' callers, of the tests.
OTHER_WORDS = {"GET", "POST", "PUT", "PATCH", "DELETE", "NAME", "EMAIL", "SLUG", "ARGS", "MEMBERS", "ANYBODY"}
OTHER_WORDS |= {"TEST_MONGODB_URI", "PYTHON", "FILE", "SECONDS", "ACTIONS"}


def text_of(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def code_in(document: Path) -> list[str]:
    """The words set in code, outside of code blocks."""
    return CODE.findall(FENCE.sub("", text_of(document)))


def blocks_in(document: Path) -> str:
    """The code blocks, one after the other."""
    return "\n".join(FENCE.findall(text_of(document)))


def anchors_of(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_there_are_the_documents_that_people_look_for() -> None:
    names = {str(document) for document in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "bench/README.md"} <= names
    assert {f"{app}/README.md" for app in APPS} <= names


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for link in LINK.findall(FENCE.sub("", text_of(document))):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document} links to {link}"
        assert not anchor or anchor in anchors_of(target), f"{document} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_and_folders_that_are_named_exist(document: Path) -> None:
    for word in code_in(document):
        # A command's words: the files among them count too.
        for name in word.split():
            if not FILE.fullmatch(name) or name.startswith((".", "*")) or name in MADE_AT_RUN_TIME:
                continue
            home = (ROOT / document).parent
            beside = [ROOT / name, home / name, home / "lifecycle" / name]
            anywhere = any(ROOT.glob(f"*/{name}")) or any(home.glob(f"*/{name}"))
            assert anywhere or any(path.exists() for path in beside), f"{document} names {name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_and_targets_that_are_named_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text_of(Path("Makefile")), re.MULTILINE))
    said = "\n".join(code_in(document)) + blocks_in(document)
    for command in re.findall(r"manage\.py ([a-z_]+)", said):
        assert command in get_commands(), f"{document} names manage.py {command}"
    for target in re.findall(r"(?:^|\s)make ([a-z-]+)", said):
        assert target in targets, f"{document} names make {target}"


def test_the_operators_commands_in_the_readme_exist_with_their_options() -> None:
    section = text_of(Path("README.md")).partition("## Commands for operators")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)([^`]*)`", section, re.MULTILINE)
    ours = {name for name, app in get_commands().items() if app in APPS}
    assert ours - {"serve"} <= {name for name, _ in rows}
    for name, options in rows:
        parser = _parser(name)
        for option in re.findall(r"--[a-z-]+", options):
            assert option in parser, f"{name} has no {option}"


def _parser(name: str) -> str:
    from django.core.management import load_command_class

    command = load_command_class(get_commands()[name], name)
    return command.create_parser("manage.py", name).format_help()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_settings_that_are_named_exist(document: Path) -> None:
    known = {variable.name for variable in VARIABLES} | OTHER_WORDS
    known |= {choice for variable in VARIABLES for choice in variable.choices}
    for word in code_in(document):
        for name in re.findall(r"(?<![\w-])([A-Z][A-Z_]{2,})(?![\w-])", word):
            assert name in known, f"{document} names the setting {name}"


def test_the_readme_has_the_present_settings() -> None:
    call_command("settings", "--check-readme")


@pytest.mark.parametrize("app", APPS)
def test_every_module_of_an_app_has_its_line_in_the_apps_readme(app: str) -> None:
    said = text_of(Path(app) / "README.md")
    for module in (ROOT / app).glob("*.py"):
        if module.name not in {"__init__.py", "apps.py"}:
            assert f"`{module.name}`" in said, f"{app}/README.md says nothing of {module.name}"
    for module in (ROOT / app).glob("lifecycle/*.py"):
        assert module.name == "__init__.py" or module.name in said, f"{app}/README.md says nothing of {module.name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_documents_are_plain_text_that_reads_well(document: Path) -> None:
    text = text_of(document)
    assert text.startswith("# ") or document.name == "LICENSE", "a document begins with its title"
    assert text.endswith("\n")
    assert not re.search(r"\b(TODO|FIXME|TBD)\b", text)
    assert text.count("```") % 2 == 0
