#!/bin/sh
# Installs packages of Debian or Ubuntu, as root or with a sudo that asks nothing; fails where neither works.
set -eu
if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    exit 1
fi
command -v apt-get >/dev/null 2>&1 || exit 1
export DEBIAN_FRONTEND=noninteractive
$root apt-get update -qq >&2
$root apt-get install -y -qq --no-install-recommends "$@" >&2
