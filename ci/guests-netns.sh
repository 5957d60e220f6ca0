# Guests of the demo that are Linux network stacks: a namespace each, joined to the switch by vswitch-guest and a TAP.
# Sourced by ci/demo.sh. A guest answers three words, here netns_start, netns_run and netns_take; ci/guests-qemu.sh has
# the same three for machines, and ci/traffic.sh does everything else with them.
# shellcheck shell=bash

netns_of() { printf 'vsdemo%s-%s' "$$" "$1"; }

# netns_start GUEST: the namespace, the guest program, the TAP with its address.
netns_start() {
    local guest=$1 ns tap=vs-$1
    ns=$(netns_of "$guest")
    on_exit netns_remove "$ns"
    ip netns add "$ns" || die "could not make the network namespace $ns"
    mkdir -p "$TMP/$guest"
    # Before the TAP exists, so that nothing but what we send is ever on it.
    ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$ns" link set lo up
    "$BIN/vswitch-guest" --port "socket=$(eni_socket "$guest"),role=server,tap=$tap,netns=$ns,mac=${MAC[$guest]},mtu=${MTU[$guest]},queues=1,ring=split" \
        >"$TMP/$guest.guest" 2>&1 &
    on_exit stop_pid $!
    wait_for 10 "the TAP of guest $guest (its program: $TMP/$guest.guest)" ip -n "$ns" link show "$tap"
    IFACE[$guest]=$tap
    ip -n "$ns" link set "$tap" address "${MAC[$guest]}" mtu "${MTU[$guest]}" up
    ip -n "$ns" addr add "${IP[$guest]}/24" dev "$tap"
}

netns_ready() { :; }

netns_remove() {
    ip netns pids "$1" | xargs -r kill -KILL
    ip netns del "$1"
}

# netns_run GUEST COMMAND: in the guest's network, in the guest's own directory.
netns_run() { (cd "$TMP/$1" && exec ip netns exec "$(netns_of "$1")" sh -c "$2" </dev/null); }

# netns_take GUEST FILE...: into $TMP/GUEST, where they are already.
netns_take() { :; }

# The programs that differ between the kinds of guest.
netns_http_server() { printf '/usr/bin/python3 -m http.server 80 --directory www >http.log 2>&1 &'; }
netns_http_client() { printf 'curl -sS --max-time 30 -o got'; }
netns_ping() { printf ping; }
