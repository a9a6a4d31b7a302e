"""The form of the schema page: format only."""

from django import forms

from tenants.rules.compiled import MAX_BYTES

PLAIN_TEXT = {"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}


class SchemaForm(forms.Form):
    """A schema as text, and the revision of the organization's schema that it was made on."""

    data = forms.CharField(  # type: ignore[assignment]
        label="Schema",
        strip=False,
        # Indentation counts, and is taken away before the schema is measured.
        max_length=MAX_BYTES * 8,
        widget=forms.Textarea(attrs={**PLAIN_TEXT, "rows": 24, "wrap": "off", "data-editor": ""}),
    )
    rev = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class SwitchOffForm(forms.Form):
    """The revision of the schema that is to go."""

    rev = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
