"""The form that looks through the audit: format only."""

from datetime import date, datetime, time, timedelta, timezone

from django import forms

from accounts.audit.actions import ACTIONS
from accounts.audit.reading import LONGEST_FILTER, Filter

RESULTS = (("", "Any"), ("done", "Done"), ("failed", "Failed"), ("refused", "Refused"))


def _choices() -> list[tuple[str, str]]:
    return [("", "Anything"), *sorted(((one.name, one.phrase) for one in ACTIONS), key=lambda choice: choice[1])]


def _select() -> forms.Select:
    return forms.Select(attrs={"class": "form-select"})


def _text() -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "form-control"})


def _day() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": "form-control"})


class AuditForm(forms.Form):
    """What happened, who did it, to what, when (whole days in UTC), and how it ended."""

    action = forms.ChoiceField(label="What happened", required=False, choices=_choices, widget=_select())
    actor = forms.CharField(label="Who", required=False, max_length=LONGEST_FILTER, widget=_text())
    target = forms.CharField(label="To what", required=False, max_length=LONGEST_FILTER, widget=_text())
    result = forms.ChoiceField(label="Result", required=False, choices=RESULTS, widget=_select())
    first_day = forms.DateField(label="From", required=False, widget=_day())
    last_day = forms.DateField(label="To", required=False, widget=_day())

    def wanted(self) -> Filter:
        """What the service looks for."""
        fields = self.cleaned_data
        return Filter(
            action=fields["action"],
            actor=fields["actor"],
            target=fields["target"],
            result=fields["result"],
            since=_start(fields["first_day"]),
            before=_start(fields["last_day"] and fields["last_day"] + timedelta(days=1)),
        )

    def clean_last_day(self) -> date | None:
        last: date | None = self.cleaned_data["last_day"]
        first: date | None = self.cleaned_data.get("first_day")
        if last is not None and (last.year >= 9999 or (first is not None and last < first)):
            raise forms.ValidationError("Choose a day that is not before the first.")
        return last

    def clean_first_day(self) -> date | None:
        first: date | None = self.cleaned_data["first_day"]
        if first is not None and first.year < 2000:
            raise forms.ValidationError("Choose a day of this century.")
        return first


def _start(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), timezone.utc) if day else None
