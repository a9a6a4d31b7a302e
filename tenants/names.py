"""Organizations' names: what a display name may be, and how it folds to the slug that names the collection.

Pure functions. A slug is `^[a-z][a-z0-9_]{1,39}$`: NFKC, case-folded, transliterated to ASCII, everything
else an underscore. Folding is idempotent: a slug folds to itself.
"""

import re
import unicodedata

from slugify import slugify

from orgportal.errors import PortalError, invalid

NAME_LENGTH = 200
SLUG_LENGTH = 40
SLUG = re.compile(r"[a-z][a-z0-9_]{1,39}")

# Words that are paths of the portal, names of databases, or would mislead in a URL or a log.
RESERVED = frozenset(
    """
    about access account accounts admin administrator api app assets auth billing blog choose config contact
    dashboard database default delete docs download email error errors false favicon help health healthz home host
    index internal invitations jobs jwks legal local localhost log login logout mail master me members metrics mongo
    mongodb new none null org organization organizations orgportal orgs password portal privacy public readyz records
    refresh register reset robots root search security session sessions settings signin signout signup static status
    support system terms test theme token tokens true undefined user users webhook webhooks well_known www
    """.split()  # noqa: SIM905
)

# Joiners are part of the spelling of Persian, Sinhala and others; all other invisible characters only mislead.
JOINERS = frozenset("\u200c\u200d")
INVISIBLE = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")


def clean_name(name: str) -> str:
    """The display name as it is kept: NFC, white space collapsed.

    Raises PortalError 422 (path `organization_name`) with the reason when it is empty, over 200 characters,
    has no letter or digit, or contains control, bidirectional-override or invisible characters.
    """
    path = "organization_name"
    if not isinstance(name, str):
        raise invalid(path, "Use text.")
    if len(name) > 4 * NAME_LENGTH:
        raise invalid(path, f"Use at most {NAME_LENGTH} characters.")
    if any(_is_hidden(character) for character in name if not character.isspace() or character in "\x1c\x1d\x1e\x1f"):
        raise invalid(path, "Leave out control characters and characters that cannot be seen.")
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise invalid(path, "Enter a name.")
    if len(cleaned) > NAME_LENGTH:
        raise invalid(path, f"Use at most {NAME_LENGTH} characters.")
    if not any(character.isalnum() for character in cleaned):
        raise invalid(path, "Use at least one letter or digit.")
    return cleaned


def _is_hidden(character: str) -> bool:
    if character in JOINERS:
        return False
    return character in INVISIBLE or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}


def slug_from(name: str) -> str:
    """The slug that a display name folds to.

    Raises PortalError 422 when the name is not acceptable, has nothing that can be written in ASCII, or
    folds to a reserved word.
    """
    folded = _fold(clean_name(name))
    if not folded:
        raise invalid("organization_name", "This name has nothing to make a short name of: choose a short name.")
    if folded in RESERVED:
        raise invalid("organization_name", f"The short name “{folded}” is reserved: choose another short name.")
    return folded


def clean_slug(slug: str) -> str:
    """A slug chosen by the user, unchanged. Raises PortalError 422 (path `slug`) when malformed or reserved."""
    if not isinstance(slug, str) or not SLUG.fullmatch(slug):
        raise invalid("slug", "Use 2 to 40 of a-z, 0-9 and _, beginning with a letter.")
    if slug in RESERVED:
        raise invalid("slug", f"“{slug}” is reserved: choose another.")
    return slug


def suggest_slug(name: str) -> str | None:
    """The slug for a preview while somebody types: None where `slug_from` would refuse."""
    try:
        return slug_from(name)
    except PortalError:
        return None


def _fold(name: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    folded = slugify(text, separator="_", entities=False, decimal=False, hexadecimal=False)
    if folded and not folded[0].isalpha():
        folded = f"o_{folded}"
    if len(folded) == 1:
        folded = f"{folded}_org"
    return folded[:SLUG_LENGTH].rstrip("_")
