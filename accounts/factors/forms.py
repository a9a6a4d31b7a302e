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


class CodeField(forms.CharField):
    """A code of the app, or a recovery code: digits and letters, with or without spaces and dashes."""

    def __init__(self, **options: Any) -> None:
        attributes = CODE_ATTRIBUTES | options.pop("attrs", {})
        super().__init__(max_length=MAX_TYPED, widget=forms.TextInput(attrs=attributes), **options)


class LoginCodeForm(forms.Form):
    """The second step of a login."""

    otp = CodeField(label="Code", help_text="Six digits of your authenticator app, or one of your recovery codes.")


class SetupForm(forms.Form):
    """The first code of a new authenticator app."""

    otp = CodeField(label="Code from the app", attrs={"inputmode": "numeric"})


class SudoForm(forms.Form):
    """The password again, and a code where there is a second factor; the path to go back to."""

    password = PasswordField(autocomplete="current-password", label="Password")
    otp = CodeField(
        label="Code", required=False, help_text="Six digits of your authenticator app, or one of your recovery codes."
    )
    next = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)

    def __init__(self, *args: Any, with_code: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if with_code:
            self.fields["otp"].required = True
        else:
            del self.fields["otp"]
