"""People at a browser, for tests of pages with Django's client: who signs up, and what is on the page."""

import re
from html import unescape
from http.cookies import SimpleCookie
from typing import Protocol

from django.test import Client

from tests.remembered import recall


class Answer(Protocol):
    """What any of Django's responses has."""

    @property
    def content(self) -> bytes: ...


PASSWORD = "violet kettle under the stairs"


def sign_up_form(name: str = "Acme Coffee", email: str = "alice@example.com", **more: str) -> dict[str, str]:
    """What a person who fills in the sign-up form sends."""
    return {
        "organization_name": name,
        "slug": "",
        "name": "",
        "email": email,
        "password": PASSWORD,
        "form_key": "",
        **more,
    }


def signed_up(name: str = "Acme Coffee", email: str = "alice@example.com", **more: str) -> Client:
    """A browser in which somebody has just signed up."""
    form = sign_up_form(name, email, **more)

    def create() -> SimpleCookie:
        creating = Client()
        response = creating.post("/signup", form)
        assert (response.status_code, response.headers.get("Location")) == (302, "/dashboard"), text_of(response)
        return creating.cookies

    client = Client()
    client.cookies = recall(("sign up by page", repr(form)), create)
    return client


def text_of(response: Answer) -> str:
    """The visible words of a page, white space collapsed."""
    body = re.sub(r"<(script|style|head).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def field_error(response: Answer, field: str) -> str:
    """What the page says beside a field, nothing when it says nothing."""
    match = re.search(rf'id="id_{field}_error">(.*?)</p>', response.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", match[1])).split()) if match else ""


def value_of(response: Answer, field: str) -> str:
    """The value that an input in the page's main part is filled with."""
    main = response.content.decode().partition("<main")[2]
    match = re.search(rf'<input[^>]*name="{field}"[^>]*>', main)
    assert match, f"no input named {field}"
    value = re.search(r'value="([^"]*)"', match[0])
    return unescape(value[1]) if value else ""
