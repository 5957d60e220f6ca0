#!/usr/bin/python3
"""The control plane at its full size: a switch with one worker and 20,000 stored sessions, over its own tenant API.

    perf/control.py [--sessions 20000] [--changes 2000] [--workers 1]

As root, after `cargo build --release --workspace --bins`. Prints how fast sessions are created, memory a stored session,
how long a change takes from the request to its answer (which comes when the workers have it), and how long a restart takes.
Needs 160 free hugepages for the worker. Works in a temporary folder and leaves nothing.
"""

import argparse
import http.client
import importlib.util
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCAL = 200  # ENIs on this host, of 3 sessions each
PER_SOURCE, PER_FILTER, PER_LB = 3, 2000, 500

spec = importlib.util.spec_from_file_location("rpc", ROOT / "ci" / "rpc.py")
rpc = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rpc)


class Api(rpc.Api):
    """The same client with one connection that stays."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=60)

    def send(self, url, body, headers):
        path = url[len(self.url):]
        self.connection.request("POST", path, body=body, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise rpc.Refused(answer.status, json.loads(text))
        return json.loads(text)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def inventory(enis):
    def eni(n):
        about = {
            "NetworkInterfaceId": f"eni-{n}", "VSwitchId": "vsw-1", "OwnerId": "a",
            "MacAddress": "02:00:00:%02x:%02x:%02x" % (n >> 16, n >> 8 & 255, n & 255),
            "PrivateIpAddress": "10.%d.%d.%d" % (n // 62500, n // 250 % 250, n % 250 + 2),
        }
        return about if n < LOCAL else about | {"HostId": f"host-{n // 100}"}
    return {
        "RegionId": "local",
        "Accounts": [{"AccountId": "a", "AccessKeys": [{"AccessKeyId": "k", "AccessKeySecret": "s"}]}],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8", "GatewayIp": "10.255.255.254"}],
        "NetworkInterfaces": [eni(n) for n in range(enis)],
    }


class Switch:
    def __init__(self, folder, workers):
        self.folder, self.api, self.metrics = folder, free_port(), free_port()
        (folder / "v.toml").write_text(f"""
[worker]
count = {workers}
[dpdk]
file_prefix = "vscontrol{self.api}"
[store]
path = "store.redb"
host = "here"
[api]
listen = "127.0.0.1:{self.api}"
requests_per_minute = 10000000
[ports]
socket_dir = "."
[ops]
socket = "ops.sock"
[metrics]
listen = "127.0.0.1:{self.metrics}"
[log]
level = "warn"
""")

    def start(self):
        """Seconds until it is ready."""
        began = time.monotonic()
        program = ROOT / "target" / "release" / "vswitch"
        self.process = subprocess.Popen([program, "run", "--config", self.folder / "v.toml"])
        while True:
            try:
                connection = http.client.HTTPConnection(f"127.0.0.1:{self.metrics}", timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    took = time.monotonic() - began
                    self.wait_for_api()
                    return took
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit("error: the switch did not come up")
            time.sleep(0.005)

    def wait_for_api(self):
        """The tenant API opens when the second of the start is over."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.api)).close()
                return
            except OSError:
                time.sleep(0.01)

    def rss(self):
        """Anonymous memory in bytes: what objects take, without programs and libraries."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def client(self):
        return Api(f"127.0.0.1:{self.api}", "local", "k", "s")


def session(n, filter_id):
    source = n // PER_SOURCE
    local = source < LOCAL
    target = f"eni-{LOCAL - 1 - source // 20}" if local else f"lb-{source // PER_LB}"
    return {
        "Priority": n + 1, "TrafficMirrorFilterId": filter_id, "TrafficMirrorSourceIds.1": f"eni-{source}",
        "TrafficMirrorTargetId": target, "TrafficMirrorTargetType": "NetworkInterface" if local else "SLB", "Enabled": "true",
        "TrafficMirrorSessionName": f"session {n}", "VirtualNetworkId": n,
    }


def create(switch, sessions):
    api = switch.client()
    api("OpenTrafficMirrorService")
    rules = {}
    for side in ("IngressRules", "EgressRules"):
        for n in range(1, 11):
            rules |= {
                f"{side}.{n}.Action": "accept", f"{side}.{n}.Priority": n, f"{side}.{n}.Protocol": "TCP",
                f"{side}.{n}.SourceCidrBlock": f"10.{n}.0.0/16", f"{side}.{n}.DestinationPortRange": f"{n}/{n + 100}",
            }
    filters = [api("CreateTrafficMirrorFilter", rules)["TrafficMirrorFilterId"] for _ in range(-(-sessions // PER_FILTER))]
    # The last local ENIs are targets, so sources of this host are fewer.
    sources = (LOCAL - LOCAL // 20) * PER_SOURCE
    wanted = [n for n in range(sessions + LOCAL * PER_SOURCE - sources) if not sources <= n < LOCAL * PER_SOURCE][:sessions]
    ids, lock = [None] * len(wanted), threading.Lock()
    work = iter(range(len(wanted)))

    def one():
        own = switch.client()
        while True:
            with lock:
                at = next(work, None)
            if at is None:
                return
            parameters = session(wanted[at], filters[at // PER_FILTER])
            ids[at] = own("CreateTrafficMirrorSession", parameters)["TrafficMirrorSessionId"]

    began = time.monotonic()
    threads = [threading.Thread(target=one) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(f"created {len(ids)} sessions by 4 clients: {len(ids) / (time.monotonic() - began):.0f} a second, each durable")
    return ids


def change(switch, ids, changes):
    """Milliseconds of changes to sessions of this host, each on its own."""
    api, times = switch.client(), []
    for n in range(changes):
        parameters = {"TrafficMirrorSessionId": ids[n % 300], "VirtualNetworkId": n + 1}
        began = time.monotonic()
        api("UpdateTrafficMirrorSessionAttribute", parameters)
        times.append((time.monotonic() - began) * 1000)
    return sorted(times)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sessions", type=int, default=20000)
    arguments.add_argument("--changes", type=int, default=2000)
    arguments.add_argument("--workers", type=int, default=1)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="vswitch-control.") as folder:
        folder = pathlib.Path(folder)
        enis = given.sessions // PER_SOURCE + LOCAL
        (folder / "inventory.json").write_text(json.dumps(inventory(enis)))
        switch = Switch(folder, given.workers)
        try:
            first = switch.start()
            empty = switch.rss()
            print(f"first start with {enis} ENIs, {LOCAL} of them here: {first:.2f} s")
            ids = create(switch, given.sessions)
            switch.stop()
            started = switch.start()
            full = switch.rss()
            print(f"start with {len(ids)} sessions: {started:.2f} s")
            times = change(switch, ids, given.changes)
            cut = statistics.quantiles(times, n=100)
            print(f"one change, request to answer: p50 {cut[49]:.1f} ms, p99 {cut[98]:.1f} ms, max {times[-1]:.1f} ms")
            switch.stop()
            bare = json.loads((folder / "inventory.json").read_text())
            print(f"memory: {(full - empty) / len(ids):.0f} bytes a session ({empty >> 20} MiB without, {full >> 20} MiB with), "
                  f"{len(bare['NetworkInterfaces'])} ENIs")
        finally:
            if switch.process.poll() is None:
                switch.stop()


if __name__ == "__main__":
    main()
