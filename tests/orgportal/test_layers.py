"""What the import linter cannot say: services see no request and no form of Django's."""

import ast
from pathlib import Path

import pytest

from tests.portals import ROOT

SERVICES = [
    *sorted((ROOT / "accounts").glob("service.py")),
    *sorted((ROOT / "tenants").glob("service.py")),
    *sorted((ROOT / "tenants").glob("manager.py")),
    *sorted((ROOT / "tenants" / "lifecycle").glob("*.py")),
]


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_there_are_services_to_look_at() -> None:
    assert len(SERVICES) > 5


@pytest.mark.parametrize("path", SERVICES, ids=[str(path.relative_to(ROOT)) for path in SERVICES])
def test_a_service_sees_no_request_and_no_form(path: Path) -> None:
    for name in _imports(path):
        assert not name.startswith(("django.http", "django.forms", "django.shortcuts", "django.template")), name
