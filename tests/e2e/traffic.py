#!/usr/bin/env python3
"""Real traffic between two network stacks, for evidence.rs.

    traffic.py serve                answers on every address, until it is ended; prints "ready"
    traffic.py talk PEER NAME       talks to the server at PEER, and fails unless all of it came back

TCP loses segments: a socket filter throws a tenth of what arrives away, after the interface has shown it and before TCP
sees it, so that both ends retransmit in earnest. (Not every kernel has netem.)
"""
import ctypes
import hashlib
import os
import selectors
import socket
import struct
import sys
import threading

TCP_PORT, DNS_PORT, ECHO_PORT, REFUSED_PORT, CLOSED_PORT = 8000, 53, 6000, 9999, 7
TCP_BYTES = 300_000
PATIENCE = 20  # seconds
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
UNKNOWN_PROTOCOL = 253  # RFC 3692: for experiments


def lose(connection, share):
    """Loses that share of the segments that arrive."""
    load_random, jump_if_greater, give = 0x20, 0x35, 0x06
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (load_random, 0, 0, 0xFFFFF038),  # SKF_AD_OFF + SKF_AD_RANDOM
            (jump_if_greater, 0, 1, int(share * 2**32)),
            (give, 0, 0, 0xFFFFFFFF),
            (give, 0, 0, 0),
        )
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    connection.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)


def lose_nothing(connection):
    connection.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise EOFError(f"{len(data)} of {count} bytes")
        data += part
    return data


# ---- server -----------------------------------------------------------------------------------------------------


def return_all(connection):
    """Reads everything, then sends it back; a last byte says that the client has it, and that nothing is lost any more."""
    with connection:
        connection.settimeout(PATIENCE)
        lose(connection, 0.1)
        connection.sendall(read_exactly(connection, TCP_BYTES))
        read_exactly(connection, 1)
        lose_nothing(connection)


def accept(listener):
    while True:
        threading.Thread(target=return_all, args=(listener.accept()[0],), daemon=True).start()


def dns_answer(query):
    """192.0.2.1 for every name below `test`, NXDOMAIN for others (RFC 1035)."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    known = question.endswith(b"\4test\0" + struct.pack("!HH", 1, 1))
    flags = 0x8580 if known else 0x8583
    answer = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton("192.0.2.1")) if known else b""
    return query[:2] + struct.pack("!HHHHH", flags, 1, int(known), 0, 0) + question + answer


def serve():
    listener = socket.create_server(("", TCP_PORT))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    ready = selectors.DefaultSelector()
    for port in (DNS_PORT, ECHO_PORT, REFUSED_PORT):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("", port))
        ready.register(udp, selectors.EVENT_READ, port)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            data, peer = key.fileobj.recvfrom(65535)
            key.fileobj.sendto(dns_answer(data) if key.data == DNS_PORT else data, peer)


# ---- client -----------------------------------------------------------------------------------------------------


def talk_tcp(peer, longest_segment):
    data = os.urandom(TCP_BYTES)
    with socket.socket() as connection:
        connection.settimeout(PATIENCE)
        if longest_segment:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, longest_segment)
        connection.connect((peer, TCP_PORT))
        lose(connection, 0.1)
        connection.sendall(data)
        back = read_exactly(connection, TCP_BYTES)
        lose_nothing(connection)
        connection.sendall(b".")
        assert connection.recv(1) == b"", "the server has more to say"
    assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest(), "TCP brought other bytes"


def talk_udp(peer, port, data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE)
        udp.connect((peer, port))
        udp.send(data)
        return udp.recv(65535)


def ask_dns(peer, name):
    question = b"".join(bytes([len(part)]) + part for part in name.split(b".")) + b"\0" + struct.pack("!HH", 1, 1)
    answer = talk_udp(peer, DNS_PORT, os.urandom(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + question)
    return answer[3] & 15, struct.unpack("!H", answer[6:8])[0]


def await_error(icmp, kind):
    """Waits for an ICMP error of that type and code."""
    while True:
        packet = icmp.recv(65535)
        if tuple(packet[20:22]) == kind:
            return


def provoke_errors(peer, name):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        icmp.settimeout(PATIENCE)
        try:
            talk_udp(peer, CLOSED_PORT, b"is anybody there?")
            raise AssertionError("somebody listens on a closed port")
        except ConnectionRefusedError:
            await_error(icmp, (3, 3))
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, UNKNOWN_PROTOCOL) as raw:
            raw.sendto(b"what is this?", (peer, 0))
        await_error(icmp, (3, 2))
        # The first fragment of a datagram whose others never come.
        payload = struct.pack("!HHHH", 4000, ECHO_PORT, 1000, 0) + b"half" * 10
        header = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0xBEEF, 0x2000, 64, 17, 0)
        addresses = socket.inet_aton(name) + socket.inet_aton(peer)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(header + addresses + payload, (peer, 0))
        await_error(icmp, (11, 1))


def talk(peer, name):
    talk_tcp(peer, 1400)
    talk_tcp(peer, None)
    assert ask_dns(peer, b"host.test") == (0, 1), "no address for host.test"
    assert ask_dns(peer, b"nowhere.example") == (3, 0), "an address for nowhere.example"
    for port in (ECHO_PORT, REFUSED_PORT):
        for length in (1, 1400, 8000, 9000, 20_000, 60_000):
            data = os.urandom(length)
            assert talk_udp(peer, port, data) == data, f"UDP brought other bytes than the {length} sent"
    provoke_errors(peer, name)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    elif len(sys.argv) == 4 and sys.argv[1] == "talk":
        talk(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
