#!/usr/bin/env python3
"""The demo's ledger: what the switch counted beside what tcpdump saw in the guests. Exits 1 unless it adds up.

    ledger.py traffic --before M0 --after M1 --guest eni-a,MAC,a.pcap --guest eni-b,... --guest eni-c,...
              --source eni-a --collector eni-c --copies decapsulated.pcap --seen COUNT --limit BYTES --drop-udp PORT
    ledger.py feedback --before M0 --after M1 --guest ... --source eni-a --collector eni-c
    ledger.py blackout PING.log
    ledger.py value METRICS NAME [LABEL=VALUE...]

M0 and M1 are scrapes of the metrics page, between which all packets of the captures flowed.
"""

import argparse
import re
import sys
from collections import Counter

import compare_pcaps as pcaps

RX = "vswitch_eni_rx_packets_total"
TX = "vswitch_eni_tx_packets_total"
DROPS = "vswitch_eni_drops_total"
CONSUMED = "vswitch_eni_consumed_total"
GENERATED = "vswitch_eni_generated_packets_total"
SEEN = "vswitch_mirror_seen_total"
EXCLUDED = "vswitch_mirror_excluded_total"
UNMATCHED = "vswitch_mirror_unmatched_total"
REFUSED = "vswitch_mirror_refused_total"
MATCHED = "vswitch_mirror_matched_total"
SKIPS = "vswitch_mirror_skips_total"
COPIED = "vswitch_mirror_packets_total"
# The page shows no line for a label that was never counted, but every family must at least announce its type.
FAMILIES = (RX, TX, DROPS, CONSUMED, GENERATED, SEEN, EXCLUDED, UNMATCHED, REFUSED, MATCHED, SKIPS, COPIED)

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def side_of(text):
    """`out`, `outbound`, `egress` and their opposites as "out" and "in"."""
    return "out" if text[:1] in "oe" else "in"


class Page:
    """One scrape: samples and announced families."""

    def __init__(self, path):
        self.samples, self.families = [], set()
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("# TYPE "):
                    self.families.add(line.split()[2])
                match = SAMPLE.match(line.strip())
                if match:
                    self.samples.append((match[1], dict(LABEL.findall(match[2] or "")), float(match[3])))

    def by_label(self, name, label, **where):
        """Sums of a family by one label, over the samples whose other labels are as given."""
        sums = Counter()
        for sample, labels, value in self.samples:
            labels = {k: side_of(v) if k == "direction" else v for k, v in labels.items()}
            if sample == name and all(labels.get(k) == v for k, v in where.items()):
                sums[labels.get(label, "")] += int(value)
        return sums

    def total(self, name, **where):
        return sum(self.by_label(name, "", **where).values())


class Difference:
    """Two scrapes of one process; counters between them."""

    def __init__(self, before, after):
        self.before, self.after = Page(before), Page(after)
        missing = [name for name in FAMILIES if name not in self.after.families]
        if missing:
            sys.exit(f"error: the metrics page lacks {', '.join(missing)}")

    def total(self, name, **where):
        return self.after.total(name, **where) - self.before.total(name, **where)

    def by_label(self, name, label, **where):
        sums = self.after.by_label(name, label, **where)
        sums.subtract(self.before.by_label(name, label, **where))
        return {key: value for key, value in sorted(sums.items()) if value}


class Table:
    """Rows of figures; a row that must agree and does not is marked, and the table fails."""

    def __init__(self):
        self.failed = 0

    def head(self, title, *columns):
        print(f"\n{title:<40}" + "".join(f"{column:>13}" for column in columns))

    def row(self, name, *figures, ok=None):
        mark = "" if ok is None else "  ok" if ok else "  WRONG"
        self.failed += ok is False
        print(f"{name:<40}" + "".join(f"{figure:>13}" for figure in figures) + mark)


class Guest:
    """One --guest: its ENI, its MAC, and what its tcpdump saw."""

    def __init__(self, text):
        self.eni, mac, path = text.split(",")
        self.mac = pcaps.mac_bytes(mac)
        self.frames = pcaps.read_pcap(path)
        self.sides = pcaps.by_direction(self.frames, self.mac)


def named(guests, eni):
    return next(guest for guest in guests if guest.eni == eni)


def ports_table(table, delta, guests):
    """Per ENI: what the guest sent and got, by its own tcpdump and by the switch's counters."""
    table.head("service packets", "sent", "received", "delivered", "got")
    table.row("", "(guest)", "(switch)", "(switch)", "(guest)")
    for guest in guests:
        sent, got = len(guest.sides["out"]), len(guest.sides["in"])
        received, delivered = delta.total(RX, eni=guest.eni), delta.total(TX, eni=guest.eni)
        table.row(guest.eni, sent, received, delivered, got, ok=sent == received and delivered == got)
    dropped = 0
    for reason, count in delta.by_label(DROPS, "reason").items():
        table.row(f"dropped: {reason}", "", "", count, "")
        dropped += count
    return dropped


def traffic(arguments):
    delta, table = Difference(arguments.before, arguments.after), Table()
    guests = [Guest(text) for text in arguments.guest]
    source, collector = named(guests, arguments.source), named(guests, arguments.collector)
    dropped = ports_table(table, delta, guests)
    is_service = lambda frame: pcaps.ipv4(frame) is not None and not pcaps.is_vxlan(frame)
    sent = sum(is_service(frame) for guest in guests for frame in guest.sides["out"])
    got = sum(is_service(frame) for guest in guests for frame in guest.sides["in"])
    table.row("IPv4: sent = got + dropped", sent, "", dropped, got, ok=sent == got + dropped)

    want = pcaps.expected(source.frames, source.mac, arguments.drop_udp)
    verdict = pcaps.compare(source.frames, pcaps.read_pcap(arguments.copies), source.mac, arguments.limit, arguments.drop_udp)
    # What arrived on the collector's wire, before its kernel took the copies out of their VXLAN.
    wire = sum(pcaps.is_vxlan(frame) for frame in collector.sides["in"])
    sides = ("out", "in")
    table.head(f"mirror of {source.eni}", "out", "in", "expected out", "in")

    def pair(name, family, expectation=None, **where):
        counted = [delta.total(family, eni=source.eni, direction=side, **where) for side in sides]
        wanted = [want[side][expectation] for side in sides] if expectation else ["", ""]
        table.row(name, *counted, *wanted, ok=counted == wanted if expectation else None)
        return Counter(dict(zip(sides, counted)))

    seen = pair("seen", SEEN)
    excluded = Counter()
    # What the capture of the source calls arp, dhcp or not_ipv4 is that to the switch; other reasons have no cause here.
    reasons = {"arp"} | set(delta.by_label(EXCLUDED, "reason", eni=source.eni))
    for reason in sorted(reasons):
        excluded += pair(f"excluded: {reason}", EXCLUDED, reason, reason=reason)
    unmatched = pair("no rule matches (ping)", UNMATCHED, "unmatched")
    refused = pair(f"refused by rule (UDP {arguments.drop_udp})", REFUSED, "refused")
    matched = pair("matched (TCP, other UDP)", MATCHED, "matched")
    skipped = Counter()
    for reason in delta.by_label(SKIPS, "reason", eni=source.eni):
        skipped += pair(f"skipped: {reason}", SKIPS, reason=reason)
    copied = pair("copied", COPIED)
    figures = [verdict[side] for side in sides]
    decapsulated = [equal + len(surplus) for _, equal, _, surplus in figures]
    table.row("decapsulated by the collector's kernel", *decapsulated, *(copied[side] for side in sides), ok=decapsulated == [copied[side] for side in sides])
    table.row("equal to the original", *(figure[1] for figure in figures), *decapsulated, ok=all(not figure[3] for figure in figures))
    table.row("VXLAN packets on the collector's wire", wire, "", sum(copied.values()), "", ok=wire == sum(copied.values()))

    table.row("tcpdump udp port 4789 -nne showed", arguments.seen, "", sum(copied.values()), "", ok=arguments.seen == sum(copied.values()))

    table.head("laws", "left", "right")
    for side in sides:
        right = excluded[side] + unmatched[side] + refused[side] + matched[side]
        table.row(f"{side}: seen = excluded+unm.+ref.+matched", seen[side], right, ok=seen[side] == right)
        right = copied[side] + skipped[side]
        table.row(f"{side}: matched = copied + skipped", matched[side], right, ok=matched[side] == right)
    left = delta.total(RX) + delta.total(GENERATED) + sum(copied.values())
    right = delta.total(TX) + delta.total(CONSUMED) + dropped
    table.row("all: rx+made+copied = tx+consumed+drops", left, right, ok=left == right)
    # A demo in which nothing happened would add up, too.
    table.row("something was copied both ways", copied["out"], copied["in"], ok=min(copied["out"], copied["in"]) > 0)
    arp = delta.total(EXCLUDED, eni=source.eni, reason="arp")
    table.row("some ARP was left out", arp, "", ok=arp > 0)
    table.row("something was refused both ways", refused["out"], refused["in"], ok=min(refused["out"], refused["in"]) > 0)
    return table.failed


def feedback(arguments):
    delta, table = Difference(arguments.before, arguments.after), Table()
    guests = [Guest(text) for text in arguments.guest]
    source, collector = named(guests, arguments.source), named(guests, arguments.collector)
    copies = sum(pcaps.is_vxlan(frame) for frame in collector.sides["in"])
    errors = sum(pcaps.is_feedback(frame) for frame in collector.sides["out"])
    back = sum(pcaps.is_feedback(frame) for frame in source.sides["in"])
    consumed = delta.total(CONSUMED, reason="copy_feedback")
    table.head("a collector that does not listen", "packets", "expected")
    table.row("copies on its wire", copies, delta.total(COPIED), ok=0 < copies == delta.total(COPIED))
    table.row("ICMP errors that its kernel sent", errors, "")
    table.row("consumed as copy_feedback", consumed, errors, ok=0 < consumed == errors)
    table.row("ICMP errors that reached the source", back, 0, ok=back == 0)
    return table.failed


def blackout(path):
    """The longest silence between two answers of `ping -D`, in ms; fails if no answer came after it."""
    stamps = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"\[(\d+\.\d+)\] \d+ bytes from", line)
            if match:
                stamps.append(float(match[1]))
    if len(stamps) < 2:
        sys.exit("error: the guests never answered each other's pings")
    gap, at = max((later - earlier, i) for i, (earlier, later) in enumerate(zip(stamps, stamps[1:])))
    print(f"{gap * 1000:.0f} {at + 1} {len(stamps) - at - 1}")


def main():
    parser = argparse.ArgumentParser(description="the demo's ledger")
    parts = parser.add_subparsers(dest="part", required=True)
    for name in ("traffic", "feedback"):
        part = parts.add_parser(name)
        for option in ("--before", "--after", "--source", "--collector"):
            part.add_argument(option, required=True)
        part.add_argument("--guest", action="append", required=True, help="ENI,MAC,PCAP")
        if name == "traffic":
            part.add_argument("--copies", required=True)
            part.add_argument("--seen", type=int, required=True, help="copies that the guide's tcpdump line showed")
            part.add_argument("--limit", type=int, required=True)
            part.add_argument("--drop-udp", type=int, required=True)
    parts.add_parser("blackout").add_argument("log")
    value = parts.add_parser("value")
    value.add_argument("page")
    value.add_argument("name")
    value.add_argument("labels", nargs="*", help="LABEL=VALUE")
    arguments = parser.parse_args()
    try:
        if arguments.part == "blackout":
            return blackout(arguments.log)
        if arguments.part == "value":
            print(Page(arguments.page).total(arguments.name, **dict(label.split("=", 1) for label in arguments.labels)))
            return 0
        failed = traffic(arguments) if arguments.part == "traffic" else feedback(arguments)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    if failed:
        print(f"\n{failed} rows do not add up", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
