"""Forms of the second factor and of entering the password again: format only."""

from typing import Any

from django import forms

from accounts.factors.codes import MAX_TYPED
from accounts.forms import PasswordField

CODE_ATTRIBUTES = {
    "autocomplete": "one-time-code",
    "autocapitalize": "none",
    "spellcheck": "false",
}


ANY_CODE = "Six digits of your authenticator app, or one of your recovery codes."


class CodeField(forms.CharField):
    """A code of the app, or a recovery code: digits and letters, with or without spaces and dashes."""

    def __init__(self, **options: Any) -> None:
        attributes = CODE_ATTRIBUTES | options.pop("attrs", {})
        super().__init__(max_length=MAX_TYPED, widget=forms.TextInput(attrs=attributes), **options)


class LoginCodeForm(forms.Form):
    """The second step of a login."""

    otp = CodeField(label="Code", help_text=ANY_CODE)

    def __init__(self, *args: Any, with_app: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not with_app:
            _ask_for_recovery_code(self.fields["otp"])


class SetupForm(forms.Form):
    """The first code of a new authenticator app."""

    otp = CodeField(label="Code from the app", attrs={"inputmode": "numeric"})


class SudoForm(forms.Form):
    """The password again, and a code where there is a second factor; the path to go back to."""

    password = PasswordField(autocomplete="current-password", label="Password")
    otp = CodeField(label="Code", required=False, help_text=ANY_CODE)
    next = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, with_code: bool, with_app: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not with_code:
            del self.fields["otp"]
            return
        self.fields["otp"].required = True
        if not with_app:
            _ask_for_recovery_code(self.fields["otp"])


def _ask_for_recovery_code(field: forms.Field) -> None:
    """An account whose only factors are passkeys has no other codes."""
    field.label = "Recovery code"
    field.help_text = "One of the ten that you have kept. Each works once."
