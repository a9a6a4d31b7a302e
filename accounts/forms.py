"""Forms of the account pages: format only. Facts (taken, too common, wrong) are the service's to find."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.core.validators import ProhibitNullCharactersValidator

from accounts.passwords import MAX_LENGTH
from orgportal.errors import PortalError

MAX_EMAIL = 254


@contextmanager
def beside_field() -> Iterator[None]:
    """Turn what a service's own check refuses into the form's error, so that all fields are judged at once."""
    try:
        yield
    except PortalError as error:
        raise forms.ValidationError([part.message for part in error.errors] or [error.message]) from error


class PasswordField(forms.CharField):
    """A password as typed: never trimmed, never shown again, any character (NIST SP 800-63B, 3.1.1.2)."""

    def __init__(self, *, autocomplete: str, **options: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete, "data-password": "", "spellcheck": "false"})
        super().__init__(strip=False, max_length=MAX_LENGTH, widget=widget, **options)
        self.validators = [v for v in self.validators if not isinstance(v, ProhibitNullCharactersValidator)]


class EmailField(forms.CharField):
    """An email address; what counts as one is decided by the service, for pages and API alike."""

    def __init__(self, *, autocomplete: str, **options: Any) -> None:
        attrs = {"autocomplete": autocomplete, "inputmode": "email", "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(max_length=MAX_EMAIL, widget=forms.EmailInput(attrs=attrs), **options)


class LoginForm(forms.Form):
    """Email and password, and the path to go on to."""

    email = EmailField(autocomplete="username", label="Email")
    password = PasswordField(autocomplete="current-password", label="Password")
    remembered = forms.BooleanField(
        required=False,
        label="Stay logged in on this device",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )
    next = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)


class PasswordChangeForm(forms.Form):
    """The password now in force, and the new one twice."""

    current = PasswordField(autocomplete="current-password", label="Current password")
    password = PasswordField(autocomplete="new-password", label="New password")
    repeat = PasswordField(autocomplete="new-password", label="New password again")

    def __init__(self, *args: Any, minimum: int, **options: Any) -> None:
        super().__init__(*args, **options)
        hint = f"At least {minimum} characters. A few unrelated words are easy to keep and hard to guess."
        self.fields["password"].help_text = hint

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "password" in cleaned and "repeat" in cleaned and cleaned["password"] != cleaned["repeat"]:
            self.add_error("repeat", "This is not the same as the new password above.")
        return cleaned
