# shellcheck shell=sh
# Sourced by quickstart.sh and test.sh: a suitable Python, and an environment made with
# it. What is already there is used again.

# Python 3.OLDEST to 3.NEWEST: those for which TensorFlow has wheels, as in setup.cfg.
OLDEST=10
NEWEST=13

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

# Show a command and run it.
run() {
    printf '$ %s\n' "$*"
    "$@"
}

# Whether interpreter $1 runs and its version is in the range.
is_suitable() {
    "$1" -c "import sys
sys.exit(not (3, $OLDEST) <= sys.version_info[:2] <= (3, $NEWEST))" 2>/dev/null
}

# "3.11.7"; nothing when interpreter $1 does not run.
version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % tuple(sys.version_info[:3]))' 2>/dev/null
}

# Set `python` to an interpreter that can make an environment: $PYTHON if that is set,
# else python3, else the newest python3.X in the range.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3
        minor=$NEWEST
        while [ "$minor" -ge "$OLDEST" ]; do
            set -- "$@" "python3.$minor"
            minor=$((minor - 1))
        done
    fi
    found="" incomplete=""
    for name in "$@"; do
        if is_suitable "$name"; then
            if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
                python=$name
                return
            fi
            incomplete=${incomplete:-$name}
        elif version=$(version_of "$name"); then
            found="$found${found:+, }$name is Python $version"
        fi
    done
    if [ -n "$incomplete" ]; then
        fail "$incomplete cannot make environments: its module venv or ensurepip is \
missing.
Install it and run this command again:
    sudo apt install ${incomplete##*/}-venv        (Debian, Ubuntu)"
    fi
    fail "expected Python 3.$OLDEST to 3.$NEWEST. Found: ${found:-none}.
Install one, for example
    sudo apt install python3 python3-venv       (Debian 12, Ubuntu 22.04 or newer)
    sudo dnf install python3.12                 (Fedora)
    conda create -n mdmt python=3.12            (conda; then conda activate mdmt)
    uv python install 3.12                      (uv)
and run this command again. If it is not on the PATH, name it:
    PYTHON=/path/to/python3.12 sh $0"
}

# What the environment depends on: where the checkout is, and what it requires.
installed_state() {
    pwd
    printf '%s\n' "$1"
    cksum setup.cfg pyproject.toml mdmt_tf/__init__.py
}

# Make or update the environment in folder $1 with this checkout and its extras $2
# ("" or "[test]").
make_environment() {
    folder=$1 extras=$2
    if [ -e "$folder" ] && [ ! -f "$folder/pyvenv.cfg" ]; then
        fail "$folder exists and is not an environment of Python. Move it away."
    fi
    if ! is_suitable "$folder/bin/python" ||
        ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
        find_python
        # --clear: an unfinished environment, or one of another Python.
        run "$python" -m venv --clear "$folder" ||
            fail "$folder cannot be made, see above."
    fi
    printf 'environment %s: Python %s\n' "$folder" "$(version_of "$folder/bin/python")"
    state=$(installed_state "$extras")
    if [ "$(cat "$folder/installed" 2>/dev/null)" = "$state" ]; then
        return
    fi
    rm -f "$folder/installed"
    echo "installing mdmt_tf$extras: about 3 GB, some minutes the first time"
    run "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
        -e ".$extras" || fail "pip could not install it, see above. It needs a \
connection to a package index and free disk space."
    printf '%s\n' "$state" >"$folder/installed"
}
