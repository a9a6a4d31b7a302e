"""Names that people give to themselves and to things: cleaned, or refused with the reason."""

import unicodedata

from orgportal.errors import invalid


def clean_line(text: str, *, path: str, longest: int) -> str:
    """One line without needless white space, in Unicode's composed form; may be empty.

    Raises PortalError 422 at `path` for other types, more than `longest` characters, and what is not letters, marks,
    digits and punctuation.
    """
    if not isinstance(text, str):
        raise invalid(path, "Use text.")
    # What is far too long is not worth the work of normalising it.
    cleaned = " ".join(unicodedata.normalize("NFC", text).split()) if len(text) <= 4 * longest else text
    if len(cleaned) > longest:
        raise invalid(path, f"Use at most {longest} characters.")
    # Categories of control, format, surrogate, private and unassigned characters; joiners belong to some scripts.
    if any(unicodedata.category(c)[0] == "C" and c not in "\u200c\u200d" for c in cleaned):
        raise invalid(path, "Use letters, marks, digits and punctuation only.")
    return cleaned
