"""What a User-Agent header says, in words that a person recognises: "Firefox on Linux"."""

import re

# In this order: most browsers name others as well.
_PROGRAMS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera)/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bVersion/[\d.]+ .*Safari/")),
    ("curl", re.compile(r"^curl/")),
    ("Python", re.compile(r"^python|^aiohttp|^httpx", re.IGNORECASE)),
    ("Go", re.compile(r"^Go-http-client")),
    ("Node", re.compile(r"^(?:node|axios|undici)", re.IGNORECASE)),
)
_SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iOS", re.compile(r"\b(?:iPhone|iPad|iPod)\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac OS X\b|\bMacintosh\b")),
    ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b|\bX11\b")),
)
UNKNOWN = "An unknown program"


def family_of(agent: str) -> str:
    """The kind of program and system, without versions, so that an update makes no new one of it."""
    program = next((name for name, pattern in _PROGRAMS if pattern.search(agent)), "")
    system = next((name for name, pattern in _SYSTEMS if pattern.search(agent)), "")
    if program and system:
        return f"{program} on {system}"
    return program or (f"A program on {system}" if system else UNKNOWN)
