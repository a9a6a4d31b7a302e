"""Every environment variable has a type; a wrong value is named and, where it is a secret, not shown."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orgportal.env import READERS, VARIABLES, read_environment
from tests.portals import ROOT

GOOD = [
    ("DEBUG", "on", True),
    ("DEBUG", " False ", False),
    ("DEBUG", "", False),
    ("WEB_THREADS", "32", 32),
    ("BCRYPT_CONCURRENCY", "0", 0),
    ("DATABASE_DEADLINE", "2.5", 2.5),
    ("SITE_URL", "  https://portal.example  ", "https://portal.example"),
    ("ALLOWED_HOSTS", "a.example, b.example,", ["a.example", "b.example"]),
    ("SECRET_KEY_FALLBACKS", "", ()),
    ("CLUSTERS", '{"east": "mongodb://east.example"}', {"east": "mongodb://east.example"}),
    ("JWT_RETIRED_KEYS", "line one\\nline two", "line one\nline two"),
    ("JWT_PRIVATE_KEY", "line one\nline two\n", "line one\nline two"),
    ("LOG_LEVEL", "DEBUG", "DEBUG"),
    ("ORGPORTAL_ENV", "production", "production"),
]
WRONG = [
    ("DEBUG", "perhaps"),
    ("WEB_THREADS", "many"),
    ("WEB_THREADS", "-1"),
    ("WEB_THREADS", "1.5"),
    ("DATABASE_DEADLINE", "0"),
    ("DATABASE_DEADLINE", "nan"),
    ("DATABASE_DEADLINE", "inf"),
    ("DATABASE_DEADLINE", "soon"),
    ("CLUSTERS", "east"),
    ("CLUSTERS", "[]"),
    ("CLUSTERS", '{"east": 1}'),
    ("LOG_LEVEL", "LOUD"),
    ("ORGPORTAL_ENV", "staging"),
]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)


def test_unset_variables_have_their_defaults() -> None:
    assert read_environment() == {variable.name: variable.default for variable in VARIABLES}


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_a_value_is_read_as_its_type(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(name, text)

    assert read_environment()[name] == value


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)

    with pytest.raises(ImproperlyConfigured, match=f"Wrong settings in the environment: {name}: "):
        read_environment()


def test_all_wrong_values_are_named_at_once_and_secrets_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERS", "secret-word")
    monkeypatch.setenv("PORT", "eighty")

    with pytest.raises(ImproperlyConfigured) as wrong:
        read_environment()
    assert "PORT: " in str(wrong.value)
    assert "CLUSTERS: " in str(wrong.value)
    assert "secret-word" not in str(wrong.value)


def test_every_variable_is_declared_once_with_a_known_type_and_a_description() -> None:
    names = [variable.name for variable in VARIABLES]

    assert len(names) == len(set(names))
    for variable in VARIABLES:
        assert variable.kind in READERS
        assert variable.description.endswith(".")
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", variable.name)


def test_every_variable_is_used_by_the_settings_and_nothing_else_is_read() -> None:
    text = (ROOT / "orgportal" / "settings.py").read_text(encoding="utf-8")

    assert set(re.findall(r'ENVIRONMENT\["([A-Z0-9_]+)"\]', text)) == {variable.name for variable in VARIABLES}


def test_nothing_else_reads_the_environment_for_configuration() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for folder in ["orgportal", "accounts", "tenants"]
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"os\.(getenv|environ(\[|\.get\())", Path(path).read_text(encoding="utf-8"))
    ]

    assert readers == []
