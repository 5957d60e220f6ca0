# shellcheck shell=bash
# The seed's steps through the tenant API, for the demo: sourced after lib.sh. A tenant with an AccessKey opens the
# service, creates filter, rules and session, starts it, modifies it and stops it. Needs ENDPOINT, and FILTER and SESSION
# are what was made.

export ALIBABA_CLOUD_ACCESS_KEY_ID=demo-key
# Only this process and the switch's inventory know it.
ALIBABA_CLOUD_ACCESS_KEY_SECRET=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export ALIBABA_CLOUD_ACCESS_KEY_SECRET
ACCOUNT=demo

# api ACTION Name=value...: the answer as JSON; a refusal ends the demo.
api() {
    local answer
    answer=$(/usr/bin/python3 "$ROOT/ci/rpc.py" --endpoint "$ENDPOINT" "$@") ||
        die "$1 was refused: $(printf '%s' "$answer" | tr -d '\n')"
    printf '%s' "$answer"
}

# member NAME...: what a JSON answer has there.
member() { /usr/bin/python3 -c 'import functools, json, sys
step = lambda value, name: value[int(name)] if isinstance(value, list) else value[name]
print(functools.reduce(step, sys.argv[1:], json.load(sys.stdin)))' "$@"; }

# The tenant API opens when the second of the switch's start is over.
api_opens() { (exec 3<>"/dev/tcp/${ENDPOINT%:*}/${ENDPOINT#*:}") 2>/dev/null; }

# watch_payload GUEST VNI: bytes of UDP payload in the copies with a VNI that the guest's tcpdump showed.
watch_payload() {
    awk -v vni="vni $2\$" '$0 ~ vni { getline; if (match($0, /UDP, length [0-9]+/)) bytes += substr($0, RSTART + 12) }
        END { print bytes + 0 }' "$TMP/$1/seen.txt"
}

# lines_of GUEST COUNT: what udp_send sends.
lines_of() {
    local i
    for ((i = 0; i < $2; i++)); do printf 'datagram %d from %s\n' "$i" "$1"; done
}

session_is() {
    local session
    session=$(api ListTrafficMirrorSessions "TrafficMirrorSessionIds.1=$SESSION") || return 1
    [ "$(member TrafficMirrorSessions 0 TrafficMirrorSessionStatus <<<"$session")" = Created ] &&
        [ "$(member TrafficMirrorSessions 0 "$1" <<<"$session")" = "$2" ]
}

# rule_parameters LIST: of both directions alike: drop the port, accept all other TCP and UDP.
rule_parameters() {
    local any="0.0.0.0/0" number=1 what
    for what in "drop UDP $DROPPED_PORT/$DROPPED_PORT" "accept TCP -1/-1" "accept UDP -1/-1"; do
        # shellcheck disable=SC2086
        set -- "$1" $what
        printf '%s\n' "$1.$number.Action=$2" "$1.$number.Priority=$number" "$1.$number.Protocol=$3" \
            "$1.$number.SourceCidrBlock=$any" "$1.$number.DestinationCidrBlock=$any" \
            "$1.$number.SourcePortRange=-1/-1" "$1.$number.DestinationPortRange=$4"
        set -- "$1"
        number=$((number + 1))
    done
}

act_create() {
    local ingress egress
    say "the tenant API on $ENDPOINT: open the service, create filter, rules and session, start it"
    wait_for 10 "the tenant API to open" api_opens
    api OpenTrafficMirrorService >/dev/null
    FILTER=$(api CreateTrafficMirrorFilter TrafficMirrorFilterName="TCP and UDP" | member TrafficMirrorFilterId)
    mapfile -t ingress < <(rule_parameters IngressRules)
    mapfile -t egress < <(rule_parameters EgressRules)
    api CreateTrafficMirrorFilterRules "TrafficMirrorFilterId=$FILTER" "${ingress[@]}" "${egress[@]}" >/dev/null
    SESSION=$(api CreateTrafficMirrorSession "TrafficMirrorFilterId=$FILTER" Priority=1 "PacketLength=$PACKET_LENGTH" \
        "VirtualNetworkId=$VNI" TrafficMirrorSourceIds.1=eni-a TrafficMirrorTargetId=eni-c \
        TrafficMirrorTargetType=NetworkInterface TrafficMirrorSessionName="a to the collector" | member TrafficMirrorSessionId)
    session_is Enabled False || die "the new session is not as it was asked for"
    api UpdateTrafficMirrorSessionAttribute "TrafficMirrorSessionId=$SESSION" Enabled=true >/dev/null
    wait_for 10 "the session to start" session_is Enabled True
    note "filter $FILTER, session $SESSION"
}

# Modified while it runs, and stopped: b's packets to a are mirrored with another VNI, then not at all.
act_modify_and_stop() {
    local before after seen heard
    wait_for 10 "the tenant API to open again" api_opens
    say "modify the session (VNI $((VNI + 1))), then stop it"
    api UpdateTrafficMirrorSessionAttribute "TrafficMirrorSessionId=$SESSION" "VirtualNetworkId=$((VNI + 1))" >/dev/null
    wait_for 10 "the new VNI" session_is VirtualNetworkId $((VNI + 1))
    watch_start c
    scrape_quiet "$TMP/page"
    before=$(ledger value "$TMP/page" vswitch_eni_tx_copies_total eni=eni-c)
    heard=$(udp_heard b 5000)
    udp_send a b 5000 20
    scrape_quiet "$TMP/page"
    after=$(ledger value "$TMP/page" vswitch_eni_tx_copies_total eni=eni-c)
    heard=$(($(udp_heard b 5000) - heard))
    watch_stop c
    # A slow guest's socat may put lines into one datagram, so what all 20 lines hold is counted, in bytes.
    seen=$(watch_count c $((VNI + 1)))
    ((heard == 20)) || die "guest b heard $heard of the 20 lines"
    (($(watch_payload c $((VNI + 1))) == $(lines_of a 20 | wc -c) && seen == after - before)) ||
        die "guest c saw $seen of $((after - before)) copies with VNI $((VNI + 1)), or not all of what b heard"
    api UpdateTrafficMirrorSessionAttribute "TrafficMirrorSessionId=$SESSION" Enabled=false >/dev/null
    wait_for 10 "the session to stop" session_is Enabled False
    scrape_quiet "$TMP/page"
    before=$(ledger value "$TMP/page" vswitch_eni_tx_copies_total eni=eni-c)
    udp_send a b 5000 20
    scrape_quiet "$TMP/page"
    after=$(ledger value "$TMP/page" vswitch_eni_tx_copies_total eni=eni-c)
    [ "$before" = "$after" ] || die "copies came after the session was stopped"
    api DeleteTrafficMirrorSession "TrafficMirrorSessionId=$SESSION" >/dev/null
    api DeleteTrafficMirrorFilter "TrafficMirrorFilterId=$FILTER" >/dev/null
    note "$seen copies with the new VNI, none after the stop; session and filter are deleted"
}
