"""Fill static/vendor from unpacked npm packages: `python scripts/vendor_static.py FOLDER`.

FOLDER holds one folder for each package of PACKAGES, named as there, as `npm pack` and `tar` leave it. Nothing is
fetched here. Source map comments are cut off, for the maps are not shipped and the static files storage resolves
every reference. Of the icons only those in ICONS are taken, as one SVG sprite. The kit's rules for dark mode are
repeated for visitors who made no choice and whose system is dark, so that this needs no JavaScript.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
PACKAGES = {
    "tabler-core": ("@tabler/core", {"dist/css/tabler.min.css": "tabler.min.css"}),
    "tabler-icons": ("@tabler/icons", {"LICENSE": "LICENSE"}),
    "htmx": ("htmx.org", {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "LICENSE"}),
    "inter": (
        "@fontsource-variable/inter",
        {"files/inter-latin-wght-normal.woff2": "inter-latin-wght-normal.woff2", "LICENSE": "LICENSE"},
    ),
}
ICONS = [
    "alert-triangle", "api", "arrow-down", "arrow-left", "arrow-right", "arrow-up",
    "arrows-exchange", "braces", "building", "building-community", "check", "chevron-down", "chevron-left",
    "chevron-right", "circle-check", "circle-x", "clock", "code", "columns-3", "copy", "database", "device-desktop",
    "download", "eye", "eye-off", "file-text", "filter", "git-compare", "info-circle", "key", "list-details", "lock",
    "logout", "mail", "moon", "pencil", "plug-connected", "plus", "refresh", "schema", "search", "server", "settings",
    "shield-lock", "sun", "table", "tag", "terminal-2", "trash", "upload", "user", "user-circle", "user-plus", "users",
    "x",
]  # fmt: skip
SOURCE_MAP = re.compile(r"/\*# sourceMappingURL=[^*]*\*/\s*|^//# sourceMappingURL=.*$", re.MULTILINE)
DARK = "[data-bs-theme=dark]"
BY_SYSTEM = ":where(:root):not([data-bs-theme])"


def copy_files(source: Path, name: str, files: dict[str, str]) -> None:
    """The package's files, and its version beside them."""
    target = VENDOR / name
    target.mkdir(parents=True, exist_ok=True)
    for origin, kept in files.items():
        data = (source / origin).read_bytes()
        if kept.endswith((".css", ".js")):
            data = SOURCE_MAP.sub("", data.decode()).rstrip().encode() + b"\n"
        (target / kept).write_bytes(data)
    version = json.loads((source / "package.json").read_text(encoding="utf-8"))["version"]
    (target / "VERSION").write_text(f"{version}\n", encoding="utf-8")


def rules(css: str) -> Iterator[tuple[str, str]]:
    """The top-level rules of a minified stylesheet: what stands before the braces, and what is in them."""
    start = depth = 0
    opened = 0
    for position, character in enumerate(css):
        if character == "{":
            depth += 1
            if depth == 1:
                opened = position
        elif character == "}":
            depth -= 1
            if depth == 0:
                yield css[start:opened].strip(), css[opened + 1 : position]
                start = position + 1


def dark_by_system(css: str) -> str:
    """The rules for dark mode, said again for a root without a choice."""
    kept = []
    for prelude, body in rules(css):
        if prelude.startswith("@media"):
            inner = dark_by_system(body)
            kept.append(f"{prelude}{{{inner}}}" if inner else "")
        elif DARK in prelude and ":not(" not in prelude:
            selectors = [part for part in prelude.split(",") if part.startswith((DARK, f":root{DARK}"))]
            plain = [part.replace(f":root{DARK}", DARK).replace(DARK, BY_SYSTEM) for part in selectors]
            kept.append(f"{','.join(plain)}{{{body}}}\n" if plain else "")
    return "".join(kept)


def write_dark_rules() -> None:
    """tabler-dark.css beside the kit."""
    folder = VENDOR / "tabler-core"
    css = re.sub(r"/\*.*?\*/", "", (folder / "tabler.min.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    made = "/* Made from tabler.min.css by scripts/vendor_static.py. */\n@media (prefers-color-scheme:dark){\n"
    (folder / "tabler-dark.css").write_text(f"{made}{dark_by_system(css)}}}\n", encoding="utf-8")


def write_sprite(source: Path) -> None:
    """One SVG file with a symbol for every icon."""
    symbols = []
    for icon in sorted(ICONS):
        svg = (source / "icons" / "outline" / f"{icon}.svg").read_text(encoding="utf-8")
        shapes = re.sub(r"\s*\n\s*", "", svg[svg.index(">", svg.index("<svg")) + 1 : svg.index("</svg>")])
        symbols.append(
            f'<symbol id="{icon}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" '
            f'stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
        )
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    (VENDOR / "tabler-icons" / "icons.svg").write_text(sprite, encoding="utf-8")


def main(folder: Path) -> None:
    for name, (_package, files) in PACKAGES.items():
        copy_files(folder / name, name, files)
    write_dark_rules()
    write_sprite(folder / "tabler-icons")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
