#!/usr/bin/env bash
# charset-normalizer and a short French table in Windows-1252.
#
# Guess, written before the run: it names cp1252 or latin-1, which read the names as they are.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check charset-normalizer==3.5.3
"$place/venv/bin/python" - <<'PYTHON'
import sys

import charset_normalizer

table = "id;nom;ville\n1;Hélène;Besançon\n2;André;Orléans\n3;Zoë;Nîmes\n4;François;Sète\n"
best = charset_normalizer.from_bytes(table.encode("cp1252")).best()
print("charset-normalizer", charset_normalizer.__version__)
print("guess: cp1252 or latin-1")
print("seen:", best.encoding, "which reads", str(best).splitlines()[1], "for", table.splitlines()[1])
sys.exit(best.encoding != "cp1250" or "Hélčne" not in str(best))
PYTHON
