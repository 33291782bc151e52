#!/usr/bin/env bash
# Installs the product alone, for those who only want to see it: product.sh PYTHON DIRECTORY CONSTRAINTS.
# An environment without a pip of its own, no bytecode of what is never imported, and the kernel built while the
# dependencies arrive: that is most of the time.
set -euo pipefail
export PIP_NO_COMPILE=1 # for the environment of the build, too
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
readarray -t needed < <("$directory/bin/python" -c 'import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")')
"${install[@]}" "${needed[@]}"
wait $!
