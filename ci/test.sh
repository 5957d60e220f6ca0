#!/bin/bash
# All tests, from nothing: packages, Rust, hugepages, build, checks. As root on Debian 12.
#   ci/test.sh           everything
#   ci/test.sh --quick   under 8 minutes from a cold build: without QEMU, the minute of fuzzing, the short race, the peers'
#                        own tests and the end-to-end tests that take long, and the demo's build is optimised less
set -euo pipefail
# shellcheck source=ci/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

QUICK=false
for argument in "$@"; do
    case $argument in
    --quick) QUICK=true ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) printf 'usage: %s [--quick]\n' "$0" >&2 && exit 2 ;;
    esac
done

trap_exits
cd "$ROOT"
# A test whose program is missing fails here: the set-up below installs them all.
export VSWITCH_CI=1

# ---- the table --------------------------------------------------------------------------------------------------

STEPS=() # "seconds result name"

step_table() {
    local line
    printf '\n%-9s %-8s %s\n' seconds result step
    for line in "${STEPS[@]}"; do printf '%-9s %-8s %s\n' ${line%%|*} "${line#*|}"; done
}

# step NAME COMMAND...: the first failure ends the run, after the table.
step() {
    local name=$1 started=$SECONDS status=0
    shift
    say "$name"
    "$@" || status=$?
    if ((status)); then
        STEPS+=("$((SECONDS - started)) FAILED|$name")
        step_table
        die "$name failed"
    fi
    STEPS+=("$((SECONDS - started)) ok|$name")
}

skip() { STEPS+=("- skipped|$1"); }

# has_test NAME: whether tests/NAME.rs or tests/NAME/main.rs is in this tree.
has_test() { [ -e "tests/$1.rs" ] || [ -e "tests/$1/main.rs" ]; }

# ---- the steps --------------------------------------------------------------------------------------------------

set_up() {
    need_root
    install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_DEMO[@]}" "${PACKAGES_TEST[@]}" "${PACKAGES_PERF[@]}" \
        "${PACKAGES_SDK[@]}"
    $QUICK || install_packages "${PACKAGES_QEMU[@]}"
    ensure_rust lint
    note "$(cargo --version); lint warnings are errors on $RUST_LINT only"
    reserve_hugepages 1024 256
    # Network once, here: what follows finds its crates in the cache.
    cargo fetch --locked --quiet
    bash ci/sdk/setup.sh
}

# Every feature border is linted: with DPDK, and without it.
clippy() {
    local deny=()
    lints_are_errors && deny=(-- -D warnings)
    cargo clippy --locked --quiet --workspace --all-targets "${deny[@]}" &&
        cargo clippy --locked --quiet -p vswitch --no-default-features --all-targets "${deny[@]}"
}

# What is tried at random is tried less often in a hurry.
pure_tests() {
    if $QUICK; then
        export VSWITCH_KILLS=20 VSWITCH_POWER_CUTS=50 VSWITCH_PLANE_SEQUENCES=200 VSWITCH_MUTATIONS=10000
    fi
    cargo test --locked --quiet -p vswitch --no-default-features -- --skip official_sdk_
}

official_sdks() { cargo test --locked --quiet -p vswitch --no-default-features --test sdk -- official_sdk_; }

build_programs() { cargo build --locked --quiet --workspace --bins; }

guest_tests() {
    local only=()
    $QUICK && only=(--lib)
    cargo test --locked --quiet -p dpdk-sys -p vswitch-perf "${only[@]}"
}

# One test at a time: EAL, cores and hugepages are one per machine.
dpdk_tests() {
    # The control plane knows nothing of DPDK: its tests ran a moment ago.
    local control=(control::plane control::api control::store control::document control::ops)
    if ! $QUICK; then
        cargo test --locked --quiet -p vswitch --lib -- --test-threads=1 "${control[@]/#/--skip=}" &&
            cargo test --locked --quiet -p vswitch --test dpdk_door --test hitless --test programs --test e2e -- \
                --test-threads=1
        return
    fi
    # The unit tests ran without DPDK; these modules wait for seconds, by what they test.
    local slow=(hitless hostile signals bandwidth ports rings second_opinion reload evidence:: target:: workers overload)
    cargo test --locked --quiet -p vswitch --test dpdk_door -- --test-threads=1 &&
        cargo test --locked --quiet -p vswitch --test e2e -- --test-threads=1 "${slow[@]/#/--skip=}"
}

# Link-time optimisation is half of the build, and shows nothing that a test looks at.
demo() {
    if $QUICK; then
        CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 bash ci/demo.sh
    else
        bash ci/demo.sh
    fi
}

fuzz() { VSWITCH_FUZZ_SECONDS=$1 cargo test --locked --quiet -p vswitch --no-default-features --test fuzz_smoke; }

loom() { cargo test --locked --quiet -p vswitch --no-default-features --test loom_publish; }

# Every goal's scenario for a moment, beside its peers: what comes out must be right, however fast it is.
short_race() { target/release/vswitch-perf --quiet race --short; }

set_up
step "formatting" cargo fmt --all --check
step "house rules" bash ci/checks.sh
step "clippy" clippy
step "pure tests, no DPDK" pure_tests
step "official SDKs" official_sdks
if has_test fuzz_smoke; then
    if $QUICK; then step "fuzz, 5 s" fuzz 5; else step "fuzz, 60 s" fuzz 60; fi
fi
# All interleavings, and once more with each ordering weakened, which must fail.
step "loom: publication" loom
step "build, with DPDK" build_programs
step "bindings and guest tests" guest_tests
step "EAL and end-to-end tests" dpdk_tests
step "demo" demo
if $QUICK; then skip "demo with QEMU"; else step "demo with QEMU" bash ci/demo.sh --qemu; fi
if $QUICK; then skip "short race"; else step "short race" short_race; fi
step_table
say "all passed"
