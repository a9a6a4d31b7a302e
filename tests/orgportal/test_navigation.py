"""The tabs: which of them a visitor sees, and which one a page belongs to."""

import re

import pytest

from tests.visitors import signed_up

pytestmark = pytest.mark.usefixtures("clean_database")


def current_tab(page: str) -> str:
    """What the marked tab says."""
    found = re.findall(r'class="tab"[^>]*aria-current="page"[^>]*>(.*?)</a>', page, flags=re.DOTALL)
    assert len(found) <= 1
    return re.sub(r"<[^>]+>", "", found[0]).strip() if found else ""


@pytest.mark.parametrize(
    ("path", "tab"),
    [
        ("/dashboard", "Dashboard"),
        ("/records", "Records"),
        ("/records/indexes", "Records"),
        ("/settings", "Settings"),
        ("/security", "Settings"),
        ("/audit", "Settings"),
        ("/keys", "Settings"),
        ("/keys/new", "Settings"),
        ("/account/security", "Account"),
        ("/choose", ""),
    ],
)
def test_a_page_marks_the_tab_that_it_belongs_to(path: str, tab: str) -> None:
    assert current_tab(signed_up().get(path).content.decode()) == tab
