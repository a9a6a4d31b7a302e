"""The form of the indexes page: format only."""

from django import forms

from tenants.record_indexes.service import MAX_FIELDS, MAX_PATH

PLAIN_TEXT = {"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false", "list": "known-fields"}
ORDERS = (("", "small first"), ("-", "large first"))


class IndexForm(forms.Form):
    """One to four fields, each with an order, and whether they are to be unique; empty rows do not count."""

    unique = forms.BooleanField(
        label="Unique",
        required=False,
        help_text="No two records may have the same values. A record without the field counts as having null.",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for number in range(MAX_FIELDS):
            self.fields[f"field_{number}"] = forms.CharField(
                label=f"Field {number + 1}",
                required=False,
                max_length=MAX_PATH + 50,
                widget=forms.TextInput(attrs=PLAIN_TEXT),
            )
            self.fields[f"order_{number}"] = forms.ChoiceField(
                label=f"Order of field {number + 1}", required=False, choices=ORDERS
            )

    def rows(self) -> list[dict[str, forms.BoundField]]:
        """The fields beside their orders, for the template."""
        return [{"field": self[f"field_{number}"], "order": self[f"order_{number}"]} for number in range(MAX_FIELDS)]

    def named(self) -> list[tuple[str, str]]:
        """The rows that were filled in: the name of the form's field, and what the service takes."""
        found = []
        for number in range(MAX_FIELDS):
            path = str(self.cleaned_data[f"field_{number}"]).strip()
            if path:
                found.append((f"field_{number}", f"{self.cleaned_data[f'order_{number}']}{path}"))
        return found
