#!/usr/bin/env python3
"""Compares copies with originals, byte for byte, with nothing but the standard library.

    compare_pcaps.py --mac MAC --limit BYTES [--drop-udp PORT] ORIGINALS.pcap COPIES.pcap

ORIGINALS.pcap was recorded in the mirrored guest, COPIES.pcap behind the collector's decapsulation. What the session
should have copied is worked out here a second time, from the originals alone, independently of the switch.
"""

import argparse
import struct
import sys
from collections import Counter

ETHERNET = 14
IPV4, ARP = 0x0800, 0x0806
ICMP, TCP, UDP = 1, 6, 17
VXLAN_PORT = 4789


def read_pcap(path):
    """The frames of a classic pcap file of Ethernet frames, as (seconds, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    magic = data[:4]
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}.get(magic)
    if order is None:
        raise ValueError(f"{path}: not a pcap file")
    fraction = 1e-9 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e-6
    (link,) = struct.unpack_from(order + "I", data, 20)
    if link & 0xFFFF != 1:
        raise ValueError(f"{path}: link type {link}, not Ethernet")
    frames, at = [], 24
    while at + 16 <= len(data):
        seconds, part, kept, length = struct.unpack_from(order + "IIII", data, at)
        if at + 16 + kept > len(data):
            raise ValueError(f"{path}: ends inside a packet")
        if kept != length:
            raise ValueError(f"{path}: tcpdump cut a packet to {kept} of {length} bytes")
        frames.append((seconds + part * fraction, data[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return frames


def mac_bytes(text):
    """`02:00:00:00:00:0a` as six bytes."""
    return bytes(int(part, 16) for part in text.split(":"))


def ethertype(frame):
    return struct.unpack_from("!H", frame, 12)[0]


def ipv4(frame):
    """(protocol, header bytes, total length) of an IPv4 frame, else None."""
    if len(frame) < ETHERNET + 20 or ethertype(frame) != IPV4:
        return None
    return frame[ETHERNET + 9], (frame[ETHERNET] & 15) * 4, struct.unpack_from("!H", frame, ETHERNET + 2)[0]


def ports(frame):
    """(source, destination) of a TCP or UDP frame, else None."""
    header = ipv4(frame)
    if header is None or header[0] not in (TCP, UDP):
        return None
    return struct.unpack_from("!HH", frame, ETHERNET + header[1])


def is_vxlan(frame):
    header = ipv4(frame)
    return header is not None and header[0] == UDP and ports(frame)[1] == VXLAN_PORT


def is_feedback(frame):
    """An ICMP port-unreachable that quotes a packet to UDP 4789."""
    header = ipv4(frame)
    if header is None or header[0] != ICMP:
        return False
    icmp = frame[ETHERNET + header[1] :]
    return icmp[:2] == b"\x03\x03" and len(icmp) >= 36 and icmp[17] == UDP and icmp[30:32] == struct.pack("!H", VXLAN_PORT)


def judge(frame, drop_udp):
    """What the demo's session says about one packet, either direction: rule 1 drops a UDP port, 2 and 3 accept TCP, UDP."""
    header = ipv4(frame)
    if header is None:
        return "arp" if ethertype(frame) == ARP else "not_ipv4"
    if header[0] == UDP:
        if set(ports(frame)) == {67, 68}:
            return "dhcp"
        if ports(frame)[1] == drop_udp:
            return "refused"
    return "matched" if header[0] in (TCP, UDP) else "unmatched"


def kept(frame, limit):
    """The bytes that a copy keeps: the Ethernet header and min(total length, limit) of the IPv4 packet."""
    header = ipv4(frame)
    return frame[: ETHERNET + min(header[2], limit)] if header else frame


def by_direction(frames, mac):
    """Frames as {"out": [...], "in": [...]} seen from the guest with this MAC."""
    sides = {"out": [], "in": []}
    for _, frame in frames:
        sides["out" if frame[6:12] == mac else "in"].append(frame)
    return sides


def expected(originals, mac, drop_udp):
    """{"out": Counter of verdicts, "in": ...} for all originals."""
    return {side: Counter(judge(frame, drop_udp) for frame in frames) for side, frames in by_direction(originals, mac).items()}


def compare(originals, copies, mac, limit, drop_udp):
    """{"out": (wanted, equal, missing, surplus), "in": ...}: both sides as multisets, so order does not matter."""
    answer = {}
    sides = by_direction(copies, mac)
    for side, frames in by_direction(originals, mac).items():
        want = Counter(kept(frame, limit) for frame in frames if judge(frame, drop_udp) == "matched")
        have = Counter(kept(frame, limit) for frame in sides[side])
        equal = sum((want & have).values())
        answer[side] = (sum(want.values()), equal, list((want - have).elements()), list((have - want).elements()))
    return answer


def main():
    parser = argparse.ArgumentParser(description="compare mirrored copies with their originals")
    parser.add_argument("--mac", required=True, help="the mirrored guest's MAC address")
    parser.add_argument("--limit", type=int, default=1500, help="min(PacketLength, path MTU - 50)")
    parser.add_argument("--drop-udp", type=int, default=-1, help="the UDP destination port that the filter drops")
    parser.add_argument("originals")
    parser.add_argument("copies")
    arguments = parser.parse_args()
    try:
        originals, copies = read_pcap(arguments.originals), read_pcap(arguments.copies)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    bad = 0
    for side, (wanted, equal, missing, surplus) in compare(
        originals, copies, mac_bytes(arguments.mac), arguments.limit, arguments.drop_udp
    ).items():
        print(f"{side}: {wanted} expected, {equal} equal, {len(missing)} missing, {len(surplus)} surplus")
        for name, frames in (("missing", missing), ("surplus", surplus)):
            for frame in frames[:3]:
                print(f"  {name}: {len(frame)} bytes {frame[:64].hex()}")
        bad += len(missing) + len(surplus)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
