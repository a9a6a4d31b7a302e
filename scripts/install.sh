#!/bin/sh
# Makes .venv once, and installs again only when a list of requirements changed.
#   scripts/install.sh run|dev
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

fail() {
    echo "orgportal: $*" >&2
    exit 1
}

suits() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

has_venv() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# Distributions compile theirs with profile-guided optimization. Builds of pyenv lack it and take a sixth longer for
# every request, though they come first on PATH.
system_python() {
    case ":$PATH:" in *:/usr/bin:*) has_venv /usr/bin/python3 && echo /usr/bin/python3 ;; esac
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" || fail "PYTHON is $PYTHON, which is not Python 3.10, 3.11, 3.12 or 3.13."
        echo "$PYTHON"
        return
    fi
    for candidate in $(system_python || true) python3 python3.13 python3.12 python3.11 python3.10 python; do
        if suits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.10, 3.11, 3.12 or 3.13 is needed. On Debian or Ubuntu: apt-get install python3 python3-venv"
}

# Debian and Ubuntu keep ensurepip in a package of its own.
need_venv() {
    has_venv "$1" && return
    package="python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    command -v apt-get >/dev/null 2>&1 || fail "$1 lacks the modules venv and ensurepip."
    echo "orgportal: installing $package, without which $1 cannot make virtual environments"
    scripts/apt-install.sh "$package" || fail "Please install it as root: apt-get install $package"
}

if command -v flock >/dev/null 2>&1; then
    exec 9>.venv.lock
    flock 9
fi

# A finished installation says that pip was whole; asking pip itself takes most of a second.
has_pip() {
    ls .venv/.installed-* >/dev/null 2>&1 || .venv/bin/python -m pip --version >/dev/null 2>&1
}

if ! suits .venv/bin/python || ! has_pip; then
    python=$(choose_python)
    need_venv "$python"
    echo "orgportal: making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

if [ "$purpose" = dev ]; then lists="requirements.txt requirements-dev.txt"; else lists="requirements.txt"; fi
stamp=.venv/.installed-$purpose
wanted=$(cat $lists | cksum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "orgportal: installing $lists"
    for list in $lists; do set -- "$@" -r "$list"; done
    shift
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
    echo "$wanted" >"$stamp"
fi
