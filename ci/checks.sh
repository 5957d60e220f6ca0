#!/bin/bash
# House rules that no lint knows. Looks at committed and new files alike; prints every offence, then fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

FAILED=0
offence() {
    printf '%s\n' "$*" >&2
    FAILED=1
}

# Files of the tree, without what .gitignore names. A tree without git (a tarball) is searched as it is.
files() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git -c safe.directory='*' ls-files -co --exclude-standard -- "$@"
    else
        find . -name target -prune -o -type f -print | sed 's|^\./||'
    fi | sort -u | while read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done
}

rust_files() { files | grep '\.rs$'; }

# `unsafe` only behind the doors.
while read -r file; do
    case $file in
    dpdk-sys/* | src/dpdk/* | src/classify/simd/* | src/classify/simd.rs | perf/src/sys/* | perf/src/sys.rs) continue ;;
    esac
    while IFS= read -r hit; do offence "$file:$hit: unsafe outside its modules"; done < <(
        grep -nE '(^|[^_[:alnum:]])unsafe([^_[:alnum:]]|$)' "$file" | grep -vE '^[0-9]+:\s*//' |
            grep -E 'unsafe *(\{|fn|impl|trait|extern)|(allow|expect|warn)\(.*unsafe_code' || true
        # A lint's level may be lowered on several lines.
        grep -nzoE '(allow|expect|warn)\([^)]*unsafe_code' "$file" | tr '\0' '\n' | grep unsafe_code || true
    )
done < <(rust_files)

# Short files: one thing each.
while read -r file; do
    lines=$(wc -l <"$file")
    ((lines <= 500)) || offence "$file: $lines lines, at most 500"
done < <(files | grep -E '\.(rs|sh|py|c|h)$|^\.ci/')

# Nothing of one developer's machine. (Spelled in pieces, or this file would find itself.)
machine='(^|[^[:alnum:]_.-])/(ro''ot/|wo''rk/|ho''me/[a-z])'
while IFS= read -r hit; do offence "$hit: a path of one machine"; done < <(
    files | grep -vE '\.(pcap|pcapng|bin)$|^Cargo\.lock$' | xargs -r grep -nIE "$machine" | cut -c1-160 || true
)

# Nothing left for later without an issue.
later='\b(TO''DO|FIX''ME|X''XX)\b|\b(to''do|unimple''mented|db''g)!'
while IFS= read -r hit; do offence "$hit: unfinished"; done < <(
    files | grep -E '\.(rs|sh|py|toml|c|h)$' | xargs -r grep -nIE "$later" | cut -c1-160 || true
)

# The two ways in.
[ -x .ci/run ] || offence ".ci/run is not executable"
grep -q 'ci/test.sh' .ci/run || offence ".ci/run does not call ci/test.sh"
while read -r file; do
    bash -n "$file" || offence "$file: bash cannot read it"
done < <(files | grep -E '^ci/.*\.sh$|^\.ci/run$')

# Every key of the configuration file carries a comment above it or beside it, so that the file explains itself.
if [ -f conf/vswitch.toml ]; then
    while IFS= read -r hit; do offence "conf/vswitch.toml:$hit: a key without a comment"; done < <(
        awk '/^[[:space:]]*#/ { said = 1; next } /^[[:space:]]*$/ { said = 0; next } /^\[/ { said = 0; next }
             /^[A-Za-z_]+ *=/ { if (!said && $0 !~ /#/) print NR }' conf/vswitch.toml
    )
fi

# JSON that does not parse is found before a test trips over it.
while read -r file; do
    python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$file" 2>/dev/null || offence "$file: not JSON"
done < <(files | grep -E '^conf/.*\.json$')

exit "$FAILED"
