#!/bin/bash
# The main job, on real packets, from nothing: as root on Debian 12, with a network to the package registries.
#   ci/demo.sh          three guests that are Linux network stacks in namespaces
#   ci/demo.sh --qemu   the two that talk are QEMU machines with Debian's cloud kernel
# A tenant makes filter and session through the API. Real programs in guests a and b talk TCP and UDP through the switch,
# a is mirrored, and tcpdump in guest c shows the copies, in a table that must add up. Then the switch is killed: the guests
# go on, and so does the session, which is modified and stopped at the end. Leaves nothing.
set -euo pipefail
HERE=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=ci/lib.sh
. "$HERE/lib.sh"
# shellcheck source=ci/guests-netns.sh
. "$HERE/guests-netns.sh"
# shellcheck source=ci/guests-qemu.sh
. "$HERE/guests-qemu.sh"
# shellcheck source=ci/traffic.sh
. "$HERE/traffic.sh"
# shellcheck source=ci/mirror-api.sh
. "$HERE/mirror-api.sh"

QEMU=false
for argument in "$@"; do
    case $argument in
    --qemu) QEMU=true ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) printf 'usage: %s [--qemu]\n' "$0" >&2 && exit 2 ;;
    esac
done

# The cast. c is a jumbo ENI, so that a full 1,500-byte packet arrives whole inside its 50 bytes of VXLAN.
declare -A KIND=([a]=netns [b]=netns [c]=netns) IFACE
declare -A IP=([a]=10.0.0.10 [b]=10.0.0.20 [c]=10.0.0.30)
declare -A MAC=([a]=02:00:00:00:00:0a [b]=02:00:00:00:00:0b [c]=02:00:00:00:00:0c)
declare -A MTU=([a]=1500 [b]=1500 [c]=8500)
VNI=10 PACKET_LENGTH=1500 DROPPED_PORT=9999 FILE_KIB=1024
IDLE=poll # the worker; QEMU without KVM needs every core it can get
$QEMU && KIND[a]=qemu KIND[b]=qemu IDLE=sleep FILE_KIB=512

eni_socket() { printf '%s/sockets/eni-%s.sock' "$TMP" "$1"; }

# ---- set-up -----------------------------------------------------------------------------------------------------

set_up() {
    need_root
    install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_DEMO[@]}"
    ensure_rust
    $QEMU && qemu_prepare
    reserve_hugepages 512 256
    [ -e /dev/net/tun ] || modprobe tun 2>/dev/null || die "this kernel has no TAP devices (/dev/net/tun)"
    say "building (release)"
    (cd "$ROOT" && cargo build --locked --quiet --release --workspace --bins) || die "the build failed"
    BIN=$(cd "$ROOT" && realpath "${CARGO_TARGET_DIR:-target}")/release
    on_exit eval '[ -z "${TMP:-}" ] || rm -rf "$TMP"'
    TMP=$(mktemp -d "${TMPDIR:-/tmp}/vswitch-demo.XXXXXX")
    chmod 755 "$TMP"
    mkdir "$TMP/sockets"
}

free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

write_configuration() {
    local guest lcore=1 enis=()
    (($(nproc) > 1)) || { lcore=0 && IDLE=sleep; }
    METRICS=127.0.0.1:$(free_port)
    ENDPOINT=127.0.0.1:$(free_port)
    for guest in a b c; do
        enis+=("{\"NetworkInterfaceId\":\"eni-$guest\",\"VSwitchId\":\"vsw-1\",\"MacAddress\":\"${MAC[$guest]}\",\"PrivateIpAddress\":\"${IP[$guest]}\",\"Mtu\":${MTU[$guest]},\"OwnerId\":\"$ACCOUNT\",\"InstanceId\":\"i-$guest\",\"QueuePairs\":1}")
    done
    (umask 077 && cat >"$TMP/inventory.json") <<JSON
{"RegionId":"local","JumboMirroring":true,"PlatformCidrs":[],
 "Accounts":[{"AccountId":"$ACCOUNT","AccessKeys":[{"AccessKeyId":"$ALIBABA_CLOUD_ACCESS_KEY_ID","AccessKeySecret":"$ALIBABA_CLOUD_ACCESS_KEY_SECRET"}]}],
 "Vpcs":[{"VpcId":"vpc-1","CidrBlock":"10.0.0.0/16"}],
 "VSwitches":[{"VSwitchId":"vsw-1","VpcId":"vpc-1","CidrBlock":"10.0.0.0/24","RouterMac":"02:00:00:00:00:01","GatewayIp":"10.0.0.1"}],
 "NetworkInterfaces":[$(IFS=,; printf '%s' "${enis[*]}")]}
JSON
    cat >"$TMP/vswitch.toml" <<TOML
[files]
inventory = "$TMP/inventory.json"
mirror = "$TMP/mirror.json"
[worker]
count = 1
lcores = [$lcore]
idle = "$IDLE"
[dpdk]
hugepages = $HUGEPAGES
file_prefix = "vsdemo$$"
control_cpu = 0
[ports]
socket_dir = "$TMP/sockets"
mode = "client"
[store]
path = "$TMP/store.redb"
[api]
listen = "$ENDPOINT"
[ops]
socket = "$TMP/ops.sock"
[metrics]
listen = "$METRICS"
TOML
}

# ---- the switch -------------------------------------------------------------------------------------------------

scrape() { curl -sf --max-time 5 "http://$METRICS/metrics" -o "$1"; }

switch_start() {
    "$BIN/vswitch" run --config "$TMP/vswitch.toml" >>"$TMP/switch.log" 2>&1 &
    SWITCH=$!
}

switch_ready() {
    local tenths=300
    until scrape "$TMP/page" 2>/dev/null; do
        if ! kill -0 "$SWITCH" 2>/dev/null || ((tenths-- <= 0)); then
            tail -n 20 "$TMP/switch.log" >&2
            die "vswitch did not start"
        fi
        sleep 0.1
    done
}

# The counters once nothing moved for half a second, which is longer than TCP's and ARP's last words keep each other
# waiting.
scrape_quiet() {
    local tries=150 alike=0 then="" now
    while ((tries-- > 0)); do
        scrape "$1" || die "the metrics page of vswitch does not answer"
        now=$(grep -E '_packets_total' "$1" | grep -v worker || true)
        if [ "$now" = "$then" ]; then alike=$((alike + 1)); else alike=0; fi
        ((alike >= 5)) && return
        then=$now
        sleep 0.1
    done
    die "the guests do not become quiet"
}

# ---- the acts ---------------------------------------------------------------------------------------------------

# The collector's kernel takes the copies out of their VXLAN.
vxlan_up() {
    guest_run c "ip link add vx type vxlan id $VNI dstport 4789 local ${IP[c]} dev ${IFACE[c]} nolearning && ethtool -K vx gro off && ip link set vx up" >/dev/null ||
        die "this kernel has no vxlan device, with which the collector decapsulates"
}
vxlan_down() { guest_run c "ip link del vx"; }

ledger() { /usr/bin/python3 "$ROOT/ci/ledger.py" "$@"; }

# captures start|stop PREFIX: everything that every guest sends and gets.
captures() {
    local guest
    for guest in a b c; do "capture_$1" "$guest" "$2"; done
}

# guests_of PREFIX: the --guest arguments for the ledger.
guests_of() {
    local guest
    for guest in a b c; do printf -- '--guest\neni-%s,%s,%s\n' "$guest" "${MAC[$guest]}" "$TMP/$guest/$1.pcap"; done
}

act_traffic() {
    local sum got seen guest
    vxlan_up
    watch_start c
    captures start main
    capture_start c copies vx
    scrape_quiet "$TMP/before"
    # Both must ask for each other's MAC again, so that there is ARP to leave out.
    for guest in a b; do guest_run "$guest" "ip neigh flush dev ${IFACE[$guest]}" >/dev/null; done
    say "ping: b to a"
    ping_guest b a 20
    say "HTTP: a serves $FILE_KIB KiB to b"
    sum=$(serve a "$FILE_KIB")
    got=$(fetch b a)
    [ "$sum" = "$got" ] || die "the file that b got is not the one that a served"
    note "sha256 ${sum:0:16}… on both sides"
    say "UDP both ways, and to the port $DROPPED_PORT that the filter drops"
    udp_listen a 5001 && udp_listen b 5000 && udp_listen a "$DROPPED_PORT" && udp_listen b "$DROPPED_PORT"
    udp_send a b 5000 50 && udp_send b a 5001 50 && udp_send a b "$DROPPED_PORT" 10 && udp_send b a "$DROPPED_PORT" 10
    scrape_quiet "$TMP/after"
    note "heard: b $(udp_heard b 5000) of 50, a $(udp_heard a 5001) of 50, port $DROPPED_PORT $(udp_heard b "$DROPPED_PORT") and $(udp_heard a "$DROPPED_PORT") of 10 each"
    captures stop main
    capture_stop c copies
    watch_stop c
    seen=$(watch_count c "$VNI")
    say "guest c: tcpdump -i ${IFACE[c]} udp port 4789 -nne"
    sed -n '1,8p' "$TMP/c/seen.txt"
    note "… and $((seen - 4)) more"
    mapfile -t guests < <(guests_of main)
    local limit=$((PACKET_LENGTH < MTU[c] - 50 ? PACKET_LENGTH : MTU[c] - 50))
    ledger traffic --before "$TMP/before" --after "$TMP/after" "${guests[@]}" --source eni-a --collector eni-c \
        --copies "$TMP/c/copies.pcap" --seen "$seen" --limit "$limit" --drop-udp "$DROPPED_PORT" || die "the ledger does not add up"
}

# Without a listener c's kernel answers every copy with an ICMP error to a, which a never must see.
act_feedback() {
    vxlan_down
    guest_run c "sysctl -qw net.ipv4.icmp_ratelimit=0"
    captures start feedback
    scrape_quiet "$TMP/before"
    udp_send a b 5000 20
    scrape_quiet "$TMP/after"
    captures stop feedback
    mapfile -t guests < <(guests_of feedback)
    ledger feedback --before "$TMP/before" --after "$TMP/after" "${guests[@]}" --source eni-a --collector eni-c ||
        die "the copies' echoes are not where they belong"
}

act_restart() {
    local killed answers blackout before after copies
    vxlan_up
    say "killing the switch (SIGKILL) under running guests, and starting it again"
    ping_start b a
    wait_for 20 "answers to b's pings" ping_answered b 50
    killed=$(date +%s%N)
    kill -KILL "$SWITCH"
    wait "$SWITCH" 2>/dev/null || true
    switch_start
    switch_ready
    note "new process answers after $((($(date +%s%N) - killed) / 1000000)) ms"
    answers=$(ping_answers b)
    wait_for 20 "traffic after the restart" ping_answered b $((answers + 50))
    ping_stop b
    read -r blackout before after < <(ledger blackout "$TMP/b/ping.log") || die "no answer to any ping"
    ((after > 20)) || die "the guests did not go on after the restart"
    [ "$(fetch b a)" = "$(guest_run a "sha256sum www/file | cut -d' ' -f1")" ] || die "HTTP is broken after the restart"
    scrape_quiet "$TMP/page"
    copies=$(ledger value "$TMP/page" vswitch_mirror_packets_total eni=eni-a)
    ((copies > 0)) || die "nothing is mirrored after the restart"
    # The laws hold once the last packets have been counted; the output must be JSON as well.
    wait_for 10 "the conservation laws to hold after the restart" "$BIN/vswitchctl" --socket "$TMP/ops.sock" stats --check
    "$BIN/vswitchctl" --socket "$TMP/ops.sock" --json stats --check | /usr/bin/python3 -c 'import json, sys; json.load(sys.stdin)' ||
        die "vswitchctl --json stats --check: the laws do not hold, or this is no JSON"
    note "blackout $blackout ms at one ping each 10 ms ($before answers before, $after after); HTTP goes on, $copies new copies, the laws hold"
}

# ---- the play ---------------------------------------------------------------------------------------------------

trap_exits
set_up
STARTED=$SECONDS
write_configuration
say "vswitch $("$BIN/vswitch" --version | head -n1 | sed 's/^vswitch //'), guests a, b, c (c collects)"
on_exit eval 'stop_pid "${SWITCH:-}"'
switch_start
for guest in a b c; do guest_start "$guest"; done
for guest in a b c; do guest_ready "$guest"; done
switch_ready
for guest in a c; do
    wait_for 30 "guest b to reach guest $guest" guest_run b "ping -c 1 -W 1 ${IP[$guest]}"
done
act_create
act_traffic
act_feedback
act_restart
act_modify_and_stop
say "the demo adds up; $((SECONDS - STARTED)) s after the build"
