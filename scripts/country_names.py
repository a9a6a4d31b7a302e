"""Every country of ISO 3166-1 under its official name, in its own main language and script.

The official names come with pycountry, translated by the iso-codes project. Where its official name is not
translated into the country's language, the territory's name there from CLDR (babel) stands in; a place without
a language of its own keeps the official English name.
"""

import gettext
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import pycountry
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.languages import get_official_languages

OFFICIAL, COMMON, ENGLISH = "official name", "CLDR name", "official English name"
# Translations that name another country: iso-codes has Ethiopia's there.
MISTRANSLATED = {("NPL", "ne")}


@dataclass(frozen=True)
class Country:
    """One entry of ISO 3166-1. `source` says where its name is from, `english` is its short name in ASCII."""

    alpha_2: str
    alpha_3: str
    numeric: str
    name: str
    language: str
    source: str
    english: str


def countries() -> list[Country]:
    """All of them, by their three-letter code."""
    return [_country(entry) for entry in sorted(pycountry.countries, key=lambda entry: str(entry.alpha_3))]


def _country(entry: Any) -> Country:
    english = str(getattr(entry, "official_name", entry.name))
    name, language, source = _own_name(entry.alpha_2, entry.alpha_3, english)
    ascii_name = unicodedata.normalize("NFKD", entry.name).encode("ascii", "ignore").decode()
    return Country(
        alpha_2=entry.alpha_2,
        alpha_3=entry.alpha_3,
        numeric=entry.numeric,
        name=name,
        language=language,
        source=source,
        english=re.sub(r"[^a-z]+", "_", ascii_name.lower()).strip("_"),
    )


def _own_name(alpha_2: str, alpha_3: str, english: str) -> tuple[str, str, str]:
    for language in _languages(alpha_2):
        if language == "en":
            return english, "en", OFFICIAL
        translated = _translated(english, language)
        if translated and (alpha_3, language) not in MISTRANSLATED:
            return translated, language, OFFICIAL
        if common := _territory_name(alpha_2, language):
            return common, language, COMMON
    return english, "en", ENGLISH


def _languages(alpha_2: str) -> list[str]:
    """The official languages, the most spoken first, then the likely one."""
    found = list(get_official_languages(alpha_2, de_facto=True))
    likely = get_global("likely_subtags").get(f"und_{alpha_2}", "").partition("_")[0]
    return found if not likely or likely in found else [*found, likely]


def _translated(english: str, language: str) -> str | None:
    try:
        catalogue = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language])
    except OSError:
        return None
    translated = catalogue.gettext(english)
    return translated if translated != english else None


def _territory_name(alpha_2: str, language: str) -> str | None:
    try:
        return Locale.parse(language).territories.get(alpha_2)
    except (UnknownLocaleError, ValueError):
        return None
