"""Forms of passkeys: format only. What the browser made comes in a hidden field, as JSON."""

from typing import Any

from django import forms
from pydantic import BaseModel, ValidationError

from accounts.passkeys.schemas import MAX_ENCODED, NewCredential, ShownCredential
from accounts.passkeys.service import MAX_NAME_LENGTH
from orgportal import strict_json
from orgportal.errors import PortalError

NO_ANSWER = "Your browser has sent no passkey. It takes JavaScript, and a browser that knows passkeys."


class CredentialField(forms.CharField):
    """What `navigator.credentials` came to, as the endpoints take it."""

    def __init__(self, schema: type[BaseModel]) -> None:
        self.schema = schema
        super().__init__(
            max_length=3 * MAX_ENCODED,
            widget=forms.HiddenInput,
            error_messages={"required": NO_ANSWER, "max_length": NO_ANSWER},
        )

    def clean(self, value: Any) -> Any:
        """The schema, filled in."""
        text = super().clean(value)
        try:
            return self.schema.model_validate(strict_json.parse(text.encode("utf-8", "surrogatepass")))
        except (PortalError, ValidationError):
            raise forms.ValidationError(NO_ANSWER) from None


class _WithCredential(forms.Form):
    """Says on top of the page what is wrong with a field that nobody sees."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "credential" in self.errors:
            messages = self.errors.pop("credential")
            self.add_error(None, list(messages))
        return cleaned


class NameForm(forms.Form):
    """What a passkey is called."""

    name = forms.CharField(
        label="Name",
        max_length=MAX_NAME_LENGTH,
        help_text="Which device it is on, so that you know later which one to remove.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AddForm(_WithCredential, NameForm):
    """A name, and the passkey that was made."""

    credential = CredentialField(NewCredential)


class ShownForm(_WithCredential):
    """The passkey that was shown; the path to go on to."""

    credential = CredentialField(ShownCredential)
    remembered = forms.BooleanField(required=False)
    next = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)
