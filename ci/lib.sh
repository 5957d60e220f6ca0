# Shared by ci/demo.sh and ci/test.sh: words, clean-up, packages, Rust, hugepages. Sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The oldest Rust that builds us: `rust-version` of the workspace.
RUST_MIN=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml")
# The Rust whose lints are errors. Others may know lints that this code has never met.
RUST_LINT=$(tr -d '[:space:]' <"$ROOT/ci/toolchain")
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

say() { printf '%s\n' "== $*"; }
note() { printf '%s\n' "   $*"; }

# One plain sentence, then the end (clean-up runs through the EXIT trap).
die() {
    printf '%s\n' "error: $*" >&2
    exit 1
}

# ---- clean-up ---------------------------------------------------------------------------------------------------

CLEANUP=()

# on_exit COMMAND...: runs at the end, last registered first, whatever the end is. Register before making a thing, so
# that a Ctrl-C in between leaves nothing; commands must bear that there is nothing to remove yet.
on_exit() { CLEANUP+=("$(printf '%q ' "$@")"); }

run_cleanup() {
    local status=$? i
    trap - EXIT
    trap '' INT TERM HUP # a second Ctrl-C must not leave half of it behind
    set +e
    jobs -pr | xargs -r kill -TERM # also what was started a moment ago and is not registered yet
    for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do eval "${CLEANUP[i]}" >/dev/null 2>&1; done
    exit "$status"
}

trap_exits() {
    trap run_cleanup EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# stop_pid PID [SECONDS]: TERM, wait, then KILL. For processes that this shell started.
stop_pid() {
    local pid=$1 tenths=$((${2:-3} * 10))
    kill -TERM "$pid" 2>/dev/null || return 0
    while ((tenths-- > 0)) && kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    return 0
}

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds, or ends with a sentence.
wait_for() {
    local tenths=$(($1 * 10)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((tenths-- > 0)) || die "waited in vain for $what"
        sleep 0.1
    done
}

# ---- set-up -----------------------------------------------------------------------------------------------------

need_root() {
    [ "$(id -u)" = 0 ] || die "this needs root (packages, hugepages, network namespaces): sudo $0"
}

need_debian() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
        die "this set-up knows Debian 12 only, and there is no apt-get here"
    [ "$(uname -m)" = x86_64 ] || die "this builds for x86_64 only, and this machine is $(uname -m)"
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

PACKAGES_BUILD=(gcc libc6-dev make pkg-config libdpdk-dev clang libclang-dev ca-certificates)
PACKAGES_DEMO=(iproute2 iputils-ping curl python3 tcpdump ethtool socat procps)
PACKAGES_QEMU=(qemu-system-x86 busybox-static cpio kmod xz-utils zstd)
# dpdk-testpmd is the second opinion in the tests, promtool the judge of the metrics page.
PACKAGES_TEST=(dpdk dpdk-dev tshark prometheus git)
# Peers of the harness, and a font for its charts.
PACKAGES_PERF=(openvswitch-switch-dpdk fonts-dejavu-core)

# What installs and runs the official SDKs. A nodejs that is not Debian's own brings npm along and clashes with Debian's.
PACKAGES_SDK=(python3-venv nodejs)
[ -x /usr/bin/npm ] || PACKAGES_SDK+=(npm)

# Services that packages bring (prometheus) must not start: policy-rc.d says so while we install.
forbid_service_starts() {
    [ -e /usr/sbin/policy-rc.d ] && return
    on_exit allow_service_starts
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
}

allow_service_starts() {
    # Ours is recognised by its content: somebody else's stays.
    [ "$(cat /usr/sbin/policy-rc.d 2>/dev/null)" = $'#!/bin/sh\nexit 101' ] && rm -f /usr/sbin/policy-rc.d
    return 0
}

# install_packages NAME...: only what is missing, so that a second run needs no network.
install_packages() {
    local missing=() name
    for name in "$@"; do installed "$name" || missing+=("$name"); done
    ((${#missing[@]})) || return 0
    need_debian
    say "installing ${missing[*]}"
    forbid_service_starts
    apt-get -qq update || die "apt-get update failed: is there a network to the Debian mirror?"
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get could not install: ${missing[*]}"
    allow_service_starts
    for name in "${missing[@]}"; do installed "$name" || die "package $name is not there after its installation"; done
}

# version_ge A B: A >= B, as dotted numbers.
version_ge() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

cargo_version() { "${1:-cargo}" --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p'; }

rust_is_enough() {
    local have
    have=$(cargo_version "${1:-cargo}")
    [ -n "$have" ] && version_ge "$have" "$RUST_MIN"
}

# ensure_rust [lint]: the cargo that is there if it is new enough, otherwise Debian's own backport (`rustc-web`).
ensure_rust() {
    local packages=(rustc-web cargo-web)
    [ "${1:-}" = lint ] && packages+=(rust-web-clippy rustfmt-web)
    [ -d "${HOME:-/root}/.cargo/bin" ] && PATH="$PATH:${HOME:-/root}/.cargo/bin"
    if ! rust_is_enough; then
        install_packages "${packages[@]}"
        PATH="/usr/bin:$PATH"
        rust_is_enough || die "Rust $RUST_MIN or newer is needed; neither the installed one nor Debian's rustc-web is"
    elif [ "${1:-}" = lint ] && [ "$(command -v cargo)" = /usr/bin/cargo ] && installed cargo-web; then
        install_packages "${packages[@]}"
    fi
    export PATH
    [ "${1:-}" != lint ] && return
    cargo fmt --version >/dev/null 2>&1 || die "this cargo has no rustfmt: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || die "this cargo has no clippy: rustup component add clippy"
}

# Lints are errors on the one Rust that we develop on.
lints_are_errors() { [ "$(rustc --version | cut -d' ' -f2)" = "$RUST_LINT" ]; }

meminfo() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }

# reserve_hugepages WANTED [AT_LEAST]: 2 MiB pages, given back at the end. HUGEPAGES says whether DPDK can have them.
HUGEPAGES=true
reserve_hugepages() {
    local wanted=$1 at_least=${2:-128} knob=/proc/sys/vm/nr_hugepages free before
    HUGEPAGES=false
    free=$(meminfo HugePages_Free)
    if [ -n "$free" ] && [ "$(meminfo Hugepagesize)" = 2048 ]; then
        before=$(cat "$knob")
        if ((free < wanted)); then
            on_exit eval "echo $before >$knob"
            # A fresh kernel grants them at once; an old one may have to tidy its memory first.
            echo $((before + wanted - free)) 2>/dev/null >"$knob" || true
            if (($(meminfo HugePages_Free) < wanted)); then
                echo 1 2>/dev/null >/proc/sys/vm/compact_memory || true
                echo $((before + wanted - free)) 2>/dev/null >"$knob" || true
            fi
        fi
        free=$(meminfo HugePages_Free)
        ((free >= at_least)) && HUGEPAGES=true
    fi
    if $HUGEPAGES; then
        note "hugepages: $free of 2 MiB free"
    else
        note "hugepages: the kernel grants ${free:-none} of the $at_least needed; running with dpdk.hugepages = false (slower)"
    fi
    export HUGEPAGES
}
