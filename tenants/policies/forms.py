"""The form of an organization's policy: format only."""

from typing import Any

from django import forms
from django.conf import settings

from accounts.passwords import MIN_LENGTH
from tenants.policies.service import DEFAULT_GRACE_DAYS, LONGEST_GRACE_DAYS, LONGEST_MINIMUM

HOURS = (1, 4, 8, 12, 24, 72)


def _session_choices() -> list[tuple[str, str]]:
    longest = int(settings.SESSION_ABSOLUTE_SECONDS)
    shorter = [(str(hours * 3600), _hours(hours)) for hours in HOURS if hours * 3600 < longest]
    return [("", f"as the portal has it ({_hours(longest // 3600)})"), *shorter]


def _hours(hours: int) -> str:
    if hours >= 48 and hours % 24 == 0:
        return f"{hours // 24} days"
    return f"{hours} hour" if hours == 1 else f"{hours} hours"


class PolicyForm(forms.Form):
    """Password length, session length, second factor."""

    min_password_length = forms.IntegerField(
        label="Shortest password",
        required=False,
        min_value=MIN_LENGTH,
        max_value=LONGEST_MINIMUM,
        help_text=f"Characters of a password that is set from now on. Empty: as the portal has it ({MIN_LENGTH}; "
        "8 beside a second factor).",
    )
    session_seconds = forms.ChoiceField(
        label="Longest session",
        required=False,
        help_text="Members log in again after that time, however busy they are. It counts for scripts that log in, "
        "too, and not for API keys.",
    )
    second_factor_required = forms.BooleanField(
        label="All members need a second factor",
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )
    second_factor_grace_days = forms.IntegerField(
        label="Days of grace",
        required=False,
        min_value=0,
        max_value=LONGEST_GRACE_DAYS,
        help_text="From today. After that, members without one can do nothing here but set theirs up; API keys that "
        f"they made stop working. Empty: {DEFAULT_GRACE_DAYS} days, or the date that is set already.",
    )
    rev = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        sessions = self.fields["session_seconds"]
        kept = self.initial.get("session_seconds")
        choices = _session_choices()
        if kept and str(kept) not in dict(choices):
            choices.append((str(kept), f"{int(kept) // 60} minutes"))
        if isinstance(sessions, forms.ChoiceField):
            sessions.widget = forms.Select(attrs={"class": "form-select"})
            sessions.choices = choices

    def changes(self) -> dict[str, Any]:
        """What the service is to change."""
        fields = self.cleaned_data
        required = fields["second_factor_required"]
        session = fields["session_seconds"]
        changes = {
            "min_password_length": fields["min_password_length"],
            "session_seconds": int(session) if session else None,
            "second_factor_required": required,
        }
        if required and fields["second_factor_grace_days"] is not None:
            changes["second_factor_grace_days"] = fields["second_factor_grace_days"]
        return changes
