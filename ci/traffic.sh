# What the demo's guests do with each other, whatever kind they are: real programs, started by guest_run. Sourced.
# shellcheck shell=bash

guest_start() { "${KIND[$1]}_start" "$1"; }
guest_ready() { "${KIND[$1]}_ready" "$1"; }
guest_run() { "${KIND[$1]}_run" "$1" "$2"; }
guest_take() { "${KIND[$1]}_take" "$@"; }

# until_listening PROTOCOL PORT: shell text that waits until the kernel shows the socket.
until_listening() {
    printf 'n=0; until grep -qi ": [0-9A-F]*:%04X " /proc/net/%s*; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done' "$2" "$1"
}

# capture_start GUEST NAME [INTERFACE]: everything on the interface into GUEST/NAME.pcap.
capture_start() {
    local guest=$1 name=$2 interface=${3:-${IFACE[$1]}}
    guest_run "$guest" "tcpdump -i $interface -s 9216 -B 32768 -U --immediate-mode -Z root -w $name.pcap >/dev/null 2>$name.log & echo \$! >$name.pid; n=0; until grep -qs listening $name.log; do n=\$((n+1)); [ \$n -lt 100 ] || exit 1; sleep 0.1; done" ||
        die "tcpdump does not start in guest $guest"
}

# watch_start GUEST, watch_stop GUEST: the line that the product's own guide tells its users to type, its output in
# GUEST/seen.txt (-l: line by line); watch_count GUEST VNI prints how many copies it showed.
watch_start() {
    guest_run "$1" "tcpdump -l -i ${IFACE[$1]} udp port 4789 -nne >seen.txt 2>seen.log & echo \$! >seen.pid; n=0; until grep -qs listening seen.log; do n=\$((n+1)); [ \$n -lt 100 ] || exit 1; sleep 0.1; done" ||
        die "tcpdump -i ${IFACE[$1]} udp port 4789 -nne does not start in guest $1"
}
watch_stop() {
    guest_run "$1" "kill -TERM \$(cat seen.pid); while kill -0 \$(cat seen.pid) 2>/dev/null; do sleep 0.1; done" || true
    guest_take "$1" seen.txt seen.log
}
watch_count() { grep -c "VXLAN, flags .*, vni $2\$" "$TMP/$1/seen.txt" || true; }

# capture_stop GUEST NAME: ends it and fetches the file. A capture that lost packets proves nothing.
capture_stop() {
    local guest=$1 name=$2
    guest_run "$guest" "kill -TERM \$(cat $name.pid); while kill -0 \$(cat $name.pid) 2>/dev/null; do sleep 0.1; done" || true
    guest_take "$guest" "$name.pcap" "$name.log"
    grep -q '^0 packets dropped by kernel' "$TMP/$guest/$name.log" ||
        die "tcpdump in guest $guest lost packets: $(tr '\n' ' ' <"$TMP/$guest/$name.log")"
}

# serve GUEST KIB: a file of random bytes on port 80; prints its SHA-256.
serve() {
    guest_run "$1" "mkdir -p www && head -c $(($2 * 1024)) /dev/urandom >www/file && { $("${KIND[$1]}_http_server") $(until_listening tcp 80); } && sha256sum www/file | cut -d' ' -f1" ||
        die "guest $1 cannot serve a file"
}

# fetch GUEST FROM: that file over HTTP; prints its SHA-256.
fetch() {
    guest_run "$1" "$("${KIND[$1]}_http_client") http://${IP[$2]}/file && sha256sum got | cut -d' ' -f1" ||
        die "guest $1 could not fetch the file from $2"
}

# udp_listen GUEST PORT; udp_send GUEST TO PORT COUNT (one socket, 50 a second); udp_heard GUEST PORT prints how many.
udp_listen() {
    guest_run "$1" "socat -u UDP4-RECV:$2 OPEN:udp-$2,creat,append >/dev/null 2>&1 & $(until_listening udp "$2")" ||
        die "guest $1 cannot listen on UDP port $2"
}
udp_send() {
    guest_run "$1" "i=0; while [ \$i -lt $4 ]; do echo \"datagram \$i from $1\"; sleep 0.02; i=\$((i+1)); done | socat -u - UDP4-SENDTO:${IP[$2]}:$3" ||
        die "guest $1 could not send UDP to $2"
}
udp_heard() { guest_run "$1" "grep -c datagram udp-$2 || true"; }

# ping_guest GUEST TO COUNT: the last two lines of ping.
ping_guest() { guest_run "$1" "$("${KIND[$1]}_ping") -c $3 -i 0.05 -W 2 ${IP[$2]} | tail -n 2"; }
# ping_start GUEST TO: 100 a second with time stamps, until ping_stop GUEST leaves GUEST/ping.log; ping_answers GUEST
# prints how many came so far, ping_answered GUEST COUNT says whether that is enough.
ping_start() { guest_run "$1" "$("${KIND[$1]}_ping") -n -i 0.01 -D ${IP[$2]} >ping.log 2>&1 & echo \$! >ping.pid"; }
ping_answers() { guest_run "$1" "grep -c 'bytes from' ping.log || true"; }
ping_answered() { (($(ping_answers "$1") >= $2)); }
ping_stop() {
    guest_run "$1" "kill -INT \$(cat ping.pid); while kill -0 \$(cat ping.pid) 2>/dev/null; do sleep 0.1; done" || true
    guest_take "$1" ping.log
}
