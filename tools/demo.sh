#!/usr/bin/env bash
# Makes the environment of `make demo`, as fast as it can be had: demo.sh PYTHON DIRECTORY CONSTRAINTS.
# The product and what the demo imports of its dependencies, side by side; no pip in it, and no bytecode of modules that
# are never imported.
set -euo pipefail
export PIP_NO_COMPILE=0 # pip takes this for --no-compile, and 1 for the opposite; for the environment of the build, too
python=$1 directory=$2 constraints=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || exec bash tools/venv.sh "$python" "$directory"
if "$python" -c 'import pip; raise SystemExit(tuple(map(int, pip.__version__.split(".")[:2])) < (22, 3))' 2>/dev/null; then
    "$python" -m venv --clear --without-pip "$directory"
    pip=("$python" -m pip --python "$directory/bin/python")
else
    bash tools/venv.sh "$python" "$directory"
    pip=("$directory/bin/python" -m pip)
fi
install=("${pip[@]}" install --quiet --disable-pip-version-check --constraint "$constraints")
"${install[@]}" --no-deps --editable . &
"${install[@]}" --requirement tools/demo.txt
wait $!
if [ ! -e splitjoin_cli/core/native/kernel.so ]; then
    "${install[@]}" awscrt numpy # which do its work where it could not be compiled
fi
