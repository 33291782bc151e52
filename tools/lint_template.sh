#!/usr/bin/env bash
# Reads what `splitjoin template` prints with cfn-lint and checkov: lint_template.sh LINTERS [each]. Asks nobody on the network.
# each: also with each parameter at the ends of what it may be, which takes a minute and more.
set -euo pipefail
linters=$1
each=${2:-}

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# The database's URL is the only parameter without a default that a rule looks into.
splitjoin template --quiet --into mysql://loader@db.example.com/sales > "$directory/template.json"
[ -z "$each" ] || python -m tools.template_variants "$directory"
"$linters/bin/cfn-lint" "$directory"/*.json
# Waivers stand in the template, each with its reason. What a crashed rule says is no report, and checkov exits 0 then.
"$linters/bin/checkov" --directory "$directory" --framework cloudformation --skip-download --quiet --compact \
    > "$directory/report" 2> "$directory/errors" || { cat "$directory/report" "$directory/errors" >&2; exit 1; }
grep -q 'Failed checks: 0' "$directory/report" && ! grep -q unhashable "$directory/report" "$directory/errors" || {
    cat "$directory/report" "$directory/errors" >&2
    exit 1
}
grep 'Passed checks' "$directory/report"
