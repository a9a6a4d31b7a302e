#!/bin/sh
# Prints the path of a Chromium that starts, installing one where there is none.
set -eu
cd "$(dirname "$0")/.."

find_one() {
    # The one without a window first: it is the same engine, and takes two thirds of the time.
    for candidate in ${CHROMIUM:-} chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
        # On Ubuntu `chromium-browser` may be only a note that says where to get it, hence the --version.
        if path=$(command -v "$candidate" 2>/dev/null) && "$path" --version >/dev/null 2>&1; then
            echo "$path"
            return
        fi
    done
    return 1
}

find_one && exit
echo "orgportal: installing Chromium for the browser tests" >&2
scripts/apt-install.sh chromium-headless-shell || scripts/apt-install.sh chromium || true
find_one && exit
.venv/bin/playwright install chromium >&2 || true
CHROMIUM=$(.venv/bin/python -c '
from playwright.sync_api import sync_playwright
with sync_playwright() as p: print(p.chromium.executable_path)' 2>/dev/null || true)
find_one && exit
echo "orgportal: the browser tests need Chromium. Please install it as root: apt-get install chromium" >&2
exit 1
