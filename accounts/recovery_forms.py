"""Forms of the pages that links in mails lead to, and of those that have them sent."""

from typing import Any

from django import forms

from accounts.forms import EmailField, PasswordField
from accounts.passwords import MIN_LENGTH


class ForgotForm(forms.Form):
    """The address whose password is forgotten."""

    email = EmailField(autocomplete="username", label="Email")


class NewPasswordForm(forms.Form):
    """A new password, twice."""

    password = PasswordField(
        autocomplete="new-password",
        label="New password",
        help_text=f"At least {MIN_LENGTH} characters. A few unrelated words are easy to keep and hard to guess.",
    )
    repeat = PasswordField(autocomplete="new-password", label="New password again")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "password" in cleaned and "repeat" in cleaned and cleaned["password"] != cleaned["repeat"]:
            self.add_error("repeat", "This is not the same as the new password above.")
        return cleaned


class EmailChangeForm(forms.Form):
    """The address to use from now on, and the password to show that it is the owner who asks."""

    email = EmailField(
        autocomplete="email",
        label="New email",
        help_text="A link is sent there; nothing changes before it is confirmed.",
    )
    password = PasswordField(autocomplete="current-password", label="Your password")
