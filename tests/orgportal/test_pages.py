"""What all pages share: error pages that need nothing, and assets that come from here and are licensed."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.test import RequestFactory

from accounts.authentication import known_principal
from orgportal import answers
from orgportal.errors import InputError, PortalError
from tests.visitors import text_of

ROOT = Path(settings.BASE_DIR)
# Mails are no pages: no policy of ours holds for them, and mail programs know no style sheets but inline ones.
MAILS = ROOT / "templates" / "mail"
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.html") if MAILS not in path.parents)
VENDOR = ROOT / "static" / "vendor"


def request_with_a_session() -> HttpRequest:
    request = RequestFactory().get("/dashboard")
    request.COOKIES[settings.SESSION_COOKIE_NAME] = "A" * 43
    request.request_id = "request-1"  # type: ignore[attr-defined]
    return request


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503])
def test_an_error_page_says_what_happened_and_asks_no_database(status: int) -> None:
    request = request_with_a_session()
    response = answers.page(request, PortalError("some_code", status, "The kettle is <b>empty</b>."))
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    words = text_of(response)
    assert str(status) in words
    assert "request-1" in words
    assert "<b>empty</b>" not in response.content.decode()
    # The principal is remembered once it was asked for, whatever came of it.
    assert known_principal(request) is None
    assert not hasattr(request, "_orgportal_caller")


def test_an_error_page_lists_what_was_wrong_with_the_input() -> None:
    error = PortalError("invalid_input", 422, "Not acceptable.", errors=[InputError("name", "Use letters.")])
    assert "Use letters." in text_of(answers.page(request_with_a_session(), error))


@pytest.mark.parametrize("status", [429, 503])
def test_a_page_that_will_work_later_offers_to_try_again(status: int) -> None:
    response = answers.page(request_with_a_session(), PortalError("busy", status, "Not now."))
    assert "Try again" in text_of(response)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_has_inline_code_or_style_or_a_foreign_address(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_unsafe_form_of_a_template_carries_its_csrf_token(template: Path) -> None:
    for form in re.findall(r'<form[^>]*method="post".*?</form>', template.read_text("utf-8"), flags=re.DOTALL):
        assert "{% csrf_token %}" in form


def test_every_icon_that_is_used_is_in_the_sprite_and_every_one_in_it_is_used() -> None:
    used = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z-]+)"', path.read_text(encoding="utf-8"))}
    sprite = (VENDOR / "tabler-icons" / "icons.svg").read_text(encoding="utf-8")
    assert used == set(re.findall(r'<symbol id="([a-z-]+)"', sprite))


@pytest.mark.parametrize(
    "folder", sorted(path for path in VENDOR.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_what_is_vendored_has_its_licence_its_version_and_a_bearable_size(folder: Path) -> None:
    version = (folder / "VERSION").read_text(encoding="utf-8").strip()
    row = next(line for line in (VENDOR / "README.md").read_text("utf-8").splitlines() if f"`{folder.name}`" in line)
    assert version in row
    assert (folder / "LICENSE").stat().st_size > 100
    for path in folder.iterdir():
        assert path.stat().st_size < 700_000
        assert b"sourceMappingURL" not in path.read_bytes()
