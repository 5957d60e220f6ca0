#!/bin/bash
# The official SDKs, in an environment of their own under target/sdk: `venv` for Python, `node_modules` for Node. What is
# there already stays, so that a second run needs no network. Needs Debian's packages PACKAGES_SDK of ci/lib.sh.
set -euo pipefail
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

SDK="$ROOT/target/sdk"
PYTHON=/usr/bin/python3
NPM=/usr/bin/npm

# What the environment was made from: pinned versions, and the interpreters that they were built for.
recipe() {
    (cd "$ROOT/ci/sdk" && sha256sum requirements-build.txt requirements.txt package.json package-lock.json)
    "$PYTHON" --version
    /usr/bin/node --version
}

# The second one may use what the first one installed: nothing is built with what is not pinned.
python_clients() {
    local pip=("$SDK/venv/bin/python" -m pip --quiet --no-cache-dir --disable-pip-version-check install --require-hashes)
    "$PYTHON" -m venv "$SDK/venv" &&
        "${pip[@]}" -r "$ROOT/ci/sdk/requirements-build.txt" &&
        "${pip[@]}" --no-build-isolation -r "$ROOT/ci/sdk/requirements.txt"
}

node_clients() {
    cp "$ROOT/ci/sdk/package.json" "$ROOT/ci/sdk/package-lock.json" "$SDK" &&
        "$NPM" ci --prefix "$SDK" --cache "$SDK/npm-cache" --ignore-scripts --no-audit --no-fund --silent &&
        rm -rf "$SDK/npm-cache"
}

if [ "$(recipe)" = "$(cat "$SDK/recipe" 2>/dev/null)" ]; then
    note "the SDKs are in target/sdk"
    exit
fi
say "installing the SDKs into target/sdk"
rm -rf "$SDK"
mkdir -p "$SDK"
python_clients || die "pip could not install the Python SDKs: is there a network to the Python package index?"
node_clients || die "npm could not install the Node SDK: is there a network to the npm registry?"
# Written last: an environment that was interrupted has none, and is made anew.
recipe >"$SDK/recipe"
