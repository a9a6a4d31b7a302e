"""The form of a new API key: format only."""

from typing import Any

from django import forms
from django.conf import settings

from accounts.api_keys.service import MAX_NAME_LENGTH
from accounts.roles import Role
from accounts.scopes import MEANINGS

NEVER = "never"
PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "A year"}


class NewKeyForm(forms.Form):
    """What a key is called, what it may do, and for how long; roles above the maker's own are not offered."""

    name = forms.CharField(
        label="Name",
        max_length=MAX_NAME_LENGTH,
        help_text="What will use it, so that you know later whether it is still needed.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=list(MEANINGS.items()),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    role = forms.ChoiceField(
        label="With the rights of", help_text="It never gets more than you have yourself, now and later."
    )
    period = forms.ChoiceField(label="Expires after", help_text="A key that is not needed any more is a risk.")

    def __init__(self, *args: Any, highest: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _offer(self.fields["role"], {role.value: role.value.capitalize() for role in Role if highest.covers(role)})
        longest = settings.API_KEY_MAX_DAYS
        periods = {days: label for days, label in PERIODS.items() if not longest or int(days) <= longest}
        if longest and str(longest) not in periods:
            periods[str(longest)] = f"{longest} days"
        _offer(self.fields["period"], periods if longest else {**periods, NEVER: "Never"})

    def days(self) -> int | None:
        """Days until it expires; None: never."""
        period = self.cleaned_data["period"]
        return None if period == NEVER else int(period)


def _offer(field: forms.Field, choices: dict[str, str]) -> None:
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - says so to the type checker
    field.choices = list(choices.items())
