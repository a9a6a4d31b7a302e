"""Forms of the organization pages: format only. Names, uniqueness and metadata are the service's to judge."""

import hashlib
import secrets
from typing import Any

from django import forms

from accounts.addresses import normalise_email
from accounts.forms import EmailField, PasswordField, beside_field
from accounts.members import MAX_NAME_LENGTH
from accounts.passwords import MIN_LENGTH, check_password_policy
from orgportal.errors import PortalError
from tenants.names import NAME_LENGTH, SLUG_LENGTH, clean_name, clean_slug, slug_from

PLAIN_TEXT = {"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}
SLUG_HELP = "2 to 40 of a-z, 0-9 and _, beginning with a letter. Leave it empty to take it from the name."


def new_form_key() -> str:
    """A one-time key for a form that creates something, so that sending it twice creates one thing."""
    return secrets.token_urlsafe(18)


class OrganizationForm(forms.Form):
    """The name of a new organization and, if wanted, its short name."""

    organization_name = forms.CharField(
        label="Organization name",
        max_length=NAME_LENGTH,
        help_text="As people write it, in any script. You can change it later.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    slug = forms.CharField(
        label="Short name",
        required=False,
        max_length=SLUG_LENGTH,
        help_text=SLUG_HELP,
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )
    form_key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def origin(self, *, scope: str) -> str | None:
        """A digest that is equal for a second sending of this same form, and for nothing else."""
        key = self.cleaned_data["form_key"]
        if not key:
            return None
        parts = ["form", scope, key, self.cleaned_data["organization_name"], self.cleaned_data["slug"]]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def clean_organization_name(self) -> str:
        typed = str(self.cleaned_data["organization_name"])
        with beside_field():
            return clean_name(typed)

    def clean_slug(self) -> str:
        typed = str(self.cleaned_data["slug"])
        with beside_field():
            return clean_slug(typed) if typed else typed

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("organization_name") and not cleaned.get("slug") and "slug" not in self.errors:
            try:
                slug_from(cleaned["organization_name"])
            except PortalError as error:
                self.add_error("organization_name", [part.message for part in error.errors])
        return cleaned


class SignupForm(OrganizationForm):
    """A new organization and the account of its owner."""

    name = forms.CharField(
        label="Your name",
        required=False,
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = EmailField(autocomplete="username", label="Email", help_text="You log in with it.")
    password = PasswordField(
        autocomplete="new-password",
        label="Password",
        help_text=f"At least {MIN_LENGTH} characters. A few unrelated words are easy to keep and hard to guess.",
    )

    def clean_email(self) -> str:
        with beside_field():
            return normalise_email(str(self.cleaned_data["email"]))

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        words = [str(self.cleaned_data.get(name) or "") for name in ("organization_name", "slug", "name", "email")]
        with beside_field():
            check_password_policy(password, words)
        return password


class ChooseForm(forms.Form):
    """Which of one's organizations the session is to be for."""

    slug = forms.CharField(max_length=SLUG_LENGTH, widget=forms.HiddenInput)


class OrganizationSettingsForm(forms.Form):
    """What may be changed about an organization, and the revision that the change was made on."""

    organization_name = forms.CharField(
        label="Organization name",
        max_length=NAME_LENGTH,
        help_text="Shown to people. Changing it moves nothing and breaks nothing.",
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    slug = forms.CharField(label="Short name", max_length=SLUG_LENGTH, widget=forms.TextInput(attrs=PLAIN_TEXT))
    rev = forms.IntegerField(min_value=1, widget=forms.HiddenInput)


class DeleteForm(forms.Form):
    """The organization's short name, typed by the person who wants it gone."""

    confirmation = forms.CharField(
        label="Type the short name to confirm", max_length=200, widget=forms.TextInput(attrs=PLAIN_TEXT)
    )

    def __init__(self, *args: Any, slug: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slug = slug

    def clean_confirmation(self) -> str:
        typed = str(self.cleaned_data["confirmation"])
        if typed != self.slug:
            raise forms.ValidationError(f"This is not “{self.slug}”. Nothing was deleted.")
        return typed
