"""Forms of the record pages: format only."""

import hashlib

from django import forms

PLAIN_TEXT = {"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}
# Longer than any record's text can be; the body's own limit comes first.
MAX_TEXT = 16 * 1024 * 1024


class RecordForm(forms.Form):
    """A record's data as JSON text, and the version that it was made from."""

    data = forms.CharField(
        label="Data",
        strip=False,
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={**PLAIN_TEXT, "rows": 18, "wrap": "off", "data-editor": ""}),
    )
    version = forms.CharField(max_length=100, widget=forms.HiddenInput)


class NewRecordForm(RecordForm):
    """A new record; the id is the author's to choose or to leave out."""

    id = forms.CharField(
        label="Id",
        required=False,
        max_length=128,
        help_text="Leave it empty and the portal makes one. It cannot be changed later.",
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )
    version = None  # type: ignore[assignment]
    form_key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def origin(self, *, scope: str) -> str | None:
        """A digest that is equal for a second sending of this same form, and for nothing else."""
        key = self.cleaned_data["form_key"]
        if not key:
            return None
        parts = ["record", scope, key, self.cleaned_data["id"], self.cleaned_data["data"]]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class DeleteRecordForm(forms.Form):
    """The version that the person saw when deciding to delete it."""

    version = forms.CharField(max_length=100, widget=forms.HiddenInput)
