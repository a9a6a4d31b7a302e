"""Forms of the record pages: format only."""

import hashlib
from typing import Any

from django import forms

PLAIN_TEXT = {"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}
# Longer than any record's text can be; the body's own limit comes first.
MAX_TEXT = 16 * 1024 * 1024
FEWEST_ROWS, MOST_ROWS = 12, 34


class RecordForm(forms.Form):
    """A record's data as JSON text, and the version that it was made from."""

    # The metaclass takes it off the class, where the form's own `data` is then set on each form.
    data = forms.CharField(  # type: ignore[assignment]
        label="Data",
        strip=False,
        required=False,
        max_length=MAX_TEXT,
        widget=forms.Textarea(attrs={**PLAIN_TEXT, "wrap": "off", "data-editor": ""}),
    )
    version = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = str(self["data"].value() or "").count("\n") + 2
        self.fields["data"].widget.attrs["rows"] = min(max(lines, FEWEST_ROWS), MOST_ROWS)


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


FORMATS = (("", "By the name of the file"), ("csv", "CSV"), ("ndjson", "NDJSON"), ("json", "JSON array"),
           ("ejson", "Extended JSON (mongoexport)"))  # fmt: skip
MODES = (("insert", "Add every line as a new record"), ("upsert", "Update records that are there, add the rest"))
DELIMITERS = (("", "Find out"), ("comma", "Comma"), ("semicolon", "Semicolon"), ("tab", "Tab"), ("pipe", "Pipe |"))


class ImportForm(forms.Form):
    """A file, and how it is to be read. What the values mean is the service's to judge."""

    file = forms.FileField(label="File", allow_empty_file=True)
    format = forms.ChoiceField(label="Format", choices=FORMATS, required=False)
    mode = forms.ChoiceField(label="What to do with the lines", choices=MODES, required=False)
    key = forms.CharField(
        label="Key fields",
        required=False,
        max_length=4000,
        help_text="What tells that a line and a record are the same, such as sku or country,code. Empty: the id.",
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )
    dry_run = forms.BooleanField(label="Only try it, and write nothing", required=False)
    delimiter = forms.ChoiceField(label="Between the cells", choices=DELIMITERS, required=False)
    types = forms.CharField(
        label="Types of columns",
        required=False,
        max_length=4000,
        help_text="Where the guess is not right, such as zip:string,price:number. There are string, number, integer, "
        "boolean, date and json.",
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )
    missing = forms.CharField(
        label="Words for “nothing here”",
        required=False,
        max_length=4000,
        help_text="Cells that say so become no field at all, such as NA,n/a.",
        widget=forms.TextInput(attrs=PLAIN_TEXT),
    )
    as_text = forms.BooleanField(label="Take every other cell as text", required=False)
    form_key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def clean_key(self) -> str:
        key = str(self.cleaned_data["key"])
        if key and self.cleaned_data.get("mode") != "upsert":
            raise forms.ValidationError("Only updating has a key: choose “Update records that are there” above.")
        return key

    def service_options(self, guessed: str) -> dict[str, Any]:
        """What the service's `read_options` takes; the format is the guessed one where none was chosen."""
        given = self.cleaned_data
        return {
            "format": given["format"] or guessed,
            "mode": given["mode"] or "insert",
            "key": given["key"] or None,
            "dry_run": given["dry_run"],
            "types": given["types"] or None,
            "missing": given["missing"] or None,
            "delimiter": given["delimiter"] or None,
            "infer": not given["as_text"],
        }
