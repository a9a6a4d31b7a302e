"""Template tags of the portal's pages."""

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """An icon of the sprite, hidden from screen readers: the text beside it says the same."""
    return format_html(
        '<svg class="icon {}" width="24" height="24" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        size,
        static("vendor/tabler-icons/icons.svg"),
        name,
    )


@register.simple_tag
def control(field: BoundField, classes: str = "") -> SafeString:
    """The field's input in the kit's looks."""
    kind = "form-select" if field.widget_type == "select" else "form-control"
    wrong = "is-invalid" if field.errors else ""
    return field.as_widget(attrs={"class": " ".join(filter(None, [kind, classes, wrong]))})


@register.filter
def grouped(number: int) -> str:
    """A whole number with its thousands set apart: 12,345."""
    return f"{number:,}"
