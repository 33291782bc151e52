#!/usr/bin/env bash
# Makes a virtual environment: venv.sh PYTHON DIRECTORY. Where it is one already, nothing happens.
set -euo pipefail
python=$1 directory=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or later is needed, and $python is $("$python" --version 2>&1): make PYTHON=python3.12 ..." >&2
    exit 1
}
if [ -x "$directory/bin/python" ] && "$directory/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi
# Debian ships Python without ensurepip unless python3-venv is installed; virtualenv brings its own pip.
if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv --clear "$directory"
elif "$python" -m virtualenv --version >/dev/null 2>&1; then
    "$python" -m virtualenv --quiet --clear "$directory"
elif command -v virtualenv >/dev/null; then
    virtualenv --quiet --clear --python "$python" "$directory"
else
    echo "$python has neither venv nor virtualenv: install python3-venv" >&2
    exit 1
fi
