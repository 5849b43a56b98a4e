#!/bin/sh
# Bring what `make demo` and `make test` need, once; whatever is missing and cannot be brought is
# said in one sentence.
#
#   setup.sh python '.[test]'    .venv with the checkout (editable) and its extras
#   setup.sh tex [poppler] [letters]    a TeX engine, the tools with which the tests read PDFs, and what
#                                       prints names in scripts beyond Latin
set -eu

TEX="texlive-latex-base texlive-latex-recommended texlive-pictures lmodern"
LETTERS="texlive-luatex fonts-noto-core fonts-droid-fallback fontconfig"

fail() {
    echo "chainrule: $*" >&2
    exit 1
}

# -- Python -------------------------------------------------------------------------------------

has_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The first Python that is new enough and can make a .venv; else one that is at least new enough.
find_python() {
    found=""
    for python in python3.11 python3.12 python3.13 python3; do
        has_python "$python" || continue
        found=${found:-$python}
        if has_venv "$python"; then
            found=$python
            break
        fi
    done
    echo "$found"
}

install_python() {
    # An upgrade of the system's Python can leave a .venv that no longer runs.
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        python=$(find_python)
        [ -n "$python" ] || fail "Python 3.11 or newer is missing; install it and run make again."
        has_venv "$python" || fail "$python cannot make virtual environments; run: sudo apt-get install $(venv_package "$python")"
        rm -rf .venv
        "$python" -m venv .venv || fail "$python could not make .venv; see the message above."
    fi
    echo "Installing chainrule into .venv ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$1" ||
        fail "pip could not install the libraries; is there a network connection?"
}

venv_package() {
    case $1 in
    python3) echo python3-venv ;;
    *) echo "$1-venv" ;;
    esac
}

# -- Debian packages ----------------------------------------------------------------------------

has_tex() { command -v pdflatex >/dev/null && kpsewhich beamer.cls tikz.sty lmodern.sty >/dev/null; }
has_letters() {
    kpsewhich luaotfload.sty >/dev/null && command -v fc-list >/dev/null &&
        fc-list : family | grep -q '^Noto Sans Hebrew' && fc-list : family | grep -q 'Droid Sans Fallback'
}
has_poppler() { command -v pdftotext >/dev/null && command -v pdftoppm >/dev/null; }

missing_packages() {
    has_tex || echo "$TEX"
    for wanted in "$@"; do
        case $wanted in
        poppler) has_poppler || echo poppler-utils ;;
        letters) has_letters || echo "$LETTERS" ;;
        esac
    done
}

install_packages() {
    packages=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null ||
        fail "these are missing here: $packages(on macOS: MacTeX or 'brew install tectonic', and 'brew install poppler'; on Windows: MiKTeX)."
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "sudo is missing; ask an administrator to run: apt-get install $packages"
        # Without a terminal nobody can type a password: fail with a sentence rather than wait.
        as_root="sudo"
        [ -t 0 ] || as_root="sudo -n"
        $as_root true || fail "sudo was refused; ask an administrator to run: apt-get install $packages"
    fi
    echo "Installing $packages..."
    apt update || fail "apt-get could not fetch its lists; is there a network connection?"
    # shellcheck disable=SC2086  # the names are separate words
    apt install --yes --no-install-recommends $packages ||
        fail "apt-get could not install $packages; see the message above (is there a network connection?)."
}

# Quiet unless it fails.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null >.venv/apt.log 2>&1 || {
        tail -n 5 .venv/apt.log >&2
        return 1
    }
}

cd "$(dirname "$0")/.."
case ${1:-} in
python) install_python "$2" ;;
tex)
    shift
    install_packages "$@"
    ;;
*) fail "usage: setup.sh python EXTRAS | tex [poppler] [letters]" ;;
esac
