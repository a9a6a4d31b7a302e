"""Forms of the invitation pages: format only."""

from typing import Any

from django import forms

from accounts.forms import EmailField, PasswordField
from accounts.members import MAX_NAME_LENGTH
from accounts.passwords import MIN_LENGTH
from accounts.roles import Role

# Short, because a phone cuts the rest off.
MEANINGS = {
    Role.VIEWER: "Viewer: reads everything",
    Role.EDITOR: "Editor: changes records",
    Role.ADMIN: "Admin: members, settings too",
    Role.OWNER: "Owner: may do everything",
}


class InviteForm(forms.Form):
    """Whom to invite, and as what; roles above the inviter's own are not offered."""

    email = EmailField(autocomplete="off", label="Email")
    role = forms.ChoiceField(label="Role", initial=Role.VIEWER.value)

    def __init__(self, *args: Any, highest: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(role.value, MEANINGS[role]) for role in Role if highest.covers(role)]
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - says so to the type checker
        field.choices = choices


class JoinForm(forms.Form):
    """The account that is made for an invited address."""

    name = forms.CharField(
        label="Your name",
        required=False,
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = PasswordField(
        autocomplete="new-password",
        label="Password",
        help_text=f"At least {MIN_LENGTH} characters. A few unrelated words are easy to keep and hard to guess.",
    )
