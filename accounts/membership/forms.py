"""Forms of the members' pages: format only."""

from django import forms

from accounts.forms import PasswordField
from accounts.roles import Role


class RoleForm(forms.Form):
    """The role to give, and the one that the page showed."""

    role = forms.ChoiceField(choices=[(role.value, role.value) for role in Role])
    seen = forms.ChoiceField(choices=[(role.value, role.value) for role in Role], required=False)


class TransferForm(forms.Form):
    """The owner's own password."""

    password = PasswordField(autocomplete="current-password", label="Your password")
