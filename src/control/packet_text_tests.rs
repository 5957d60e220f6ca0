//! Packets that people write, rightly and wrongly.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::packet_text::{EXPECTED, HexFrame, PacketText, frame, packet};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

#[test]
fn every_form_is_read() {
    let text = |protocol, source_port, destination_port, length| PacketText {
        source: A,
        destination: B,
        protocol,
        source_port,
        destination_port,
        length,
    };
    let forms = [
        ("10.0.0.1:1234>10.0.0.2:80/tcp", text(6, 1234, 80, 100)),
        ("10.0.0.1:1234>10.0.0.2:80/TCP,len=1500", text(6, 1234, 80, 1500)),
        ("10.0.0.1:0>10.0.0.2:65535/udp,len=28", text(17, 0, 65535, 28)),
        ("10.0.0.1 > 10.0.0.2:53 / udp , len=65535", text(17, 0, 53, 65535)),
        ("10.0.0.1:9>10.0.0.2/17", text(17, 9, 0, 100)),
        ("10.0.0.1>10.0.0.2/tcp", text(6, 0, 0, 100)),
        ("10.0.0.1>10.0.0.2/icmp", text(1, 0, 0, 100)),
        ("10.0.0.1>10.0.0.2/47,len=20", text(47, 0, 0, 20)),
        ("10.0.0.1>10.0.0.2/0", text(0, 0, 0, 100)),
        ("10.0.0.1>10.0.0.2/255", text(255, 0, 0, 100)),
    ];
    for (form, expected) in forms {
        assert_eq!(packet(form), Ok(expected), "{form}");
    }
}

#[test]
fn every_mistake_says_what_and_how() {
    let mistakes = [
        ("", "there is no / with a protocol behind it"),
        ("10.0.0.1:1>10.0.0.2:2", "there is no / with a protocol behind it"),
        ("10.0.0.1:1/tcp", "there is no > between source and destination"),
        ("10.0.0.1:1>10.0.0/tcp", "destination = \"10.0.0\": not an IPv4 address"),
        ("10.0.0.256>10.0.0.2/icmp", "source = \"10.0.0.256\": not an IPv4 address"),
        ("::1>10.0.0.2/icmp", "source = \"\": not an IPv4 address"),
        ("10.0.0.1:>10.0.0.2/tcp", "port of the source = \"\": a whole number from 0 to 65535"),
        ("10.0.0.1:1>10.0.0.2:65536/tcp", "port of the destination = \"65536\": a whole number from 0 to 65535"),
        ("10.0.0.1:+1>10.0.0.2:1/tcp", "port of the source = \"+1\": a whole number from 0 to 65535"),
        ("10.0.0.1:1>10.0.0.2:1/sctp", "protocol = \"sctp\": tcp, udp, icmp or a number below 256"),
        ("10.0.0.1>10.0.0.2/256", "protocol = \"256\": tcp, udp, icmp or a number below 256"),
        ("10.0.0.1:1>10.0.0.2/icmp", "protocol = icmp: only tcp and udp have ports"),
        ("10.0.0.1>10.0.0.2:7/47", "protocol = 47: only tcp and udp have ports"),
        ("10.0.0.1>10.0.0.2/tcp,mtu=7", "\"mtu=7\": the only option is len="),
        ("10.0.0.1>10.0.0.2/tcp,", "\"\": the only option is len="),
        ("10.0.0.1>10.0.0.2/tcp,len=65536", "len = 65536: a whole number up to 65535"),
        ("10.0.0.1>10.0.0.2/tcp,len=50,len=50", "len is given twice"),
        ("10.0.0.1>10.0.0.2/tcp,len=39", "length = 39: such a packet has at least 40 bytes"),
        ("10.0.0.1>10.0.0.2/udp,len=27", "length = 27: such a packet has at least 28 bytes"),
        ("10.0.0.1>10.0.0.2/47,len=19", "length = 19: such a packet has at least 20 bytes"),
    ];
    for (text, what) in mistakes {
        assert_eq!(packet(text), Err(format!("{what}; a packet is {EXPECTED}")), "{text}");
    }
}

#[test]
fn frames_are_read_with_what_people_put_between() {
    for text in ["0200ff", "0x0200FF", "02:00:ff", "02-00-ff", " 02 00\n\tff\n", "0 2 00 f f"] {
        assert_eq!(frame(text), Ok(HexFrame(vec![2, 0, 0xff])), "{text}");
    }
    let wrong = |text: &str, what: &str| {
        let error = frame(text).unwrap_err();
        assert!(error.starts_with(what) && error.contains("hexadecimal digits"), "{text}: {error}");
    };
    wrong("", "there are no digits; ");
    wrong("0x", "there are no digits; ");
    wrong("020", "half a byte is left over at the end; ");
    wrong("02zz", "character 3 is 'z'; ");
    wrong("02…", "character 3 is '…'; ");
    assert_eq!(frame(&"00".repeat(65_550)), Err("65550 bytes: a frame has at most 65549".to_owned()));
    assert!(frame(&"00".repeat(65_549)).is_ok());
}

proptest! {
    #[test]
    fn any_text_is_a_packet_or_an_error(text in ".*", near in "[0-9.:>/,=a-z +-]{0,60}") {
        for text in [text, near] {
            if let Err(e) = packet(&text) {
                prop_assert!(e.ends_with(EXPECTED));
            }
            let _ = frame(&text);
        }
    }

    #[test]
    fn a_packet_is_read_as_it_was_written(
        source: u32, destination: u32, udp: bool, source_port: u16, destination_port: u16, length in 40u16..,
    ) {
        let (source, destination) = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
        let name = if udp { "udp" } else { "tcp" };
        let text = format!("{source}:{source_port}>{destination}:{destination_port}/{name},len={length}");
        let protocol = if udp { 17 } else { 6 };
        let expected = PacketText { source, destination, protocol, source_port, destination_port, length };
        prop_assert_eq!(packet(&text), Ok(expected));
    }

    #[test]
    fn a_frame_is_read_as_it_was_written(bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        let written = HexFrame(bytes);
        prop_assert_eq!(frame(&written.digits()), Ok(written));
    }
}
