#!/usr/bin/env bash
# Installs the product alone, for those who only want to see it: product.sh PYTHON DIRECTORY CONSTRAINTS.
# An environment without a pip of its own, and no bytecode of what is never imported: that is most of the time.
set -euo pipefail
export PIP_NO_COMPILE=1 # for the environment of the build, too
python=$1 directory=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || exec bash tools/venv.sh "$python" "$directory"
options=(--quiet --disable-pip-version-check --constraint "$3" --editable .)
if "$python" -c 'import pip; raise SystemExit(tuple(map(int, pip.__version__.split(".")[:2])) < (22, 3))' 2>/dev/null; then
    "$python" -m venv --clear --without-pip "$directory"
    "$python" -m pip --python "$directory/bin/python" install "${options[@]}"
else
    bash tools/venv.sh "$python" "$directory"
    "$directory/bin/python" -m pip install "${options[@]}"
fi
