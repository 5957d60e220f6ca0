#!/bin/bash
# Forwarding of 64-byte packets between two virtio-user ports, one worker: vswitch beside dpdk-testpmd's io-forward over
# two net_vhost ports, interleaved. The generator (dpdk-testpmd, 5tswap) is the same program with the same arguments in
# both arms and keeps a fixed number of packets under way.
#   perf/forward.sh [ROUNDS [SECONDS]]      as root, after `cargo build --release`; 2 CPUs, 1,024 free hugepages
set -euo pipefail
ROUNDS=${1:-3} SECONDS_EACH=${2:-5}
ROOT=$(cd "$(dirname "$0")/.." && pwd)
DIR=$(mktemp -d)
BACKEND= GENERATOR=
finish() {
    for pid in $GENERATOR $BACKEND; do kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    GENERATOR= BACKEND=
    rm -f "$DIR"/v0 "$DIR"/v1
}
trap 'finish; rm -rf "$DIR"' EXIT

cat >"$DIR/inventory.json" <<JSON
{"RegionId":"local","Vpcs":[{"VpcId":"vpc-1","CidrBlock":"10.0.0.0/16"}],
 "VSwitches":[{"VSwitchId":"vsw-1","VpcId":"vpc-1","CidrBlock":"10.0.0.0/24"}],
 "NetworkInterfaces":[
  {"NetworkInterfaceId":"eni-0","VSwitchId":"vsw-1","MacAddress":"02:00:00:00:00:0a","PrivateIpAddress":"10.0.0.10","Socket":"$DIR/v0","SocketMode":"server"},
  {"NetworkInterfaceId":"eni-1","VSwitchId":"vsw-1","MacAddress":"02:00:00:00:00:0b","PrivateIpAddress":"10.0.0.20","Socket":"$DIR/v1","SocketMode":"server"}]}
JSON
echo '{}' >"$DIR/mirror.json"
cat >"$DIR/vswitch.toml" <<TOML
[files]
inventory = "$DIR/inventory.json"
mirror = "$DIR/mirror.json"
[worker]
lcores = [0]
[dpdk]
control_cpu = 1
file_prefix = "fwd$$"
[store]
path = ""
[ops]
socket = "$DIR/ops.sock"
[metrics]
listen = "127.0.0.1:0"
[log]
level = "warn"
TOML

backend_testpmd() {
    dpdk-testpmd --lcores '0@1,1@0' --no-pci --in-memory --file-prefix="bt$$" -m 512 \
        --vdev "net_vhost0,iface=$DIR/v0" --vdev "net_vhost1,iface=$DIR/v1" \
        -- --nb-cores=1 --txd=1024 --rxd=1024 --forward-mode=io --no-flush-rx --auto-start --stats-period 3600 \
        >"$DIR/backend.log" 2>&1 &
    BACKEND=$!
}

backend_vswitch() {
    "$ROOT/target/release/vswitch" run --config "$DIR/vswitch.toml" >"$DIR/backend.log" 2>&1 &
    BACKEND=$!
}

# run ARM: packets a second through the backend, by the generator's own count of what came back.
run() {
    "backend_$1"
    for _ in $(seq 100); do [ -S "$DIR/v1" ] && break; sleep 0.1; done
    sleep 0.5
    dpdk-testpmd --lcores '0@1,1@1' --no-pci --in-memory --single-file-segments --file-prefix="gt$$" -m 512 \
        --vdev "net_virtio_user0,path=$DIR/v0,mac=02:00:00:00:00:0a,mrg_rxbuf=1,in_order=0,packed_vq=0,queue_size=1024" \
        --vdev "net_virtio_user1,path=$DIR/v1,mac=02:00:00:00:00:0b,mrg_rxbuf=1,in_order=0,packed_vq=0,queue_size=1024" \
        -- --nb-cores=1 --txd=1024 --rxd=1024 --forward-mode=5tswap --port-topology=loop --txpkts=64 \
        --tx-ip=10.0.0.10,10.0.0.20 --tx-udp=1000,2000 --eth-peer=0,02:00:00:00:00:0b --eth-peer=1,02:00:00:00:00:0a \
        --tx-first --burst=512 --stats-period 1 >"$DIR/generator.log" 2>&1 &
    GENERATOR=$!
    sleep $((SECONDS_EACH + 3))
    finish
    # Two ports, each "Rx-pps: N"; the last seconds are steady.
    awk '/Rx-pps:/ { n++; pps[n] = $2 } END { sum = 0; for (i = n - 5; i <= n; i++) sum += pps[i]; printf "%.0f\n", sum / 3 }' \
        "$DIR/generator.log"
}

for ((i = 1; i <= ROUNDS; i++)); do
    for arm in testpmd vswitch; do
        pps=$(run "$arm")
        printf '%s\t%s\n' "$arm" "$pps" | tee -a "$DIR/results"
    done
done
python3 - "$DIR/results" <<'PY'
import statistics, sys
arms = {}
for line in open(sys.argv[1]):
    arm, pps = line.split()
    arms.setdefault(arm, []).append(float(pps))
for arm, values in arms.items():
    print(f"{arm}: median {statistics.median(values) / 1e6:.2f} Mpps of {len(values)}, from {min(values) / 1e6:.2f} to {max(values) / 1e6:.2f}")
print(f"ratio {statistics.median(arms['vswitch']) / statistics.median(arms['testpmd']):.2f}")
PY
