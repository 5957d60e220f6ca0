//! How a rule's parts are spelt, in files, requests and answers alike.

use crate::classify::rule::{Action, PortRange, Protocol};

/// What a port range may be.
pub(super) const PORTS: &str = "a range from 0 to 65535 such as 80/443, or -1/-1 for any";

/// `accept` or `drop`, in any case.
pub(super) fn action(text: &str) -> Option<Action> {
    [Action::Accept, Action::Drop].into_iter().find(|a| text.eq_ignore_ascii_case(action_name(*a)))
}

pub(super) const fn action_name(action: Action) -> &'static str {
    match action {
        Action::Accept => "accept",
        Action::Drop => "drop",
    }
}

/// `ALL`, `ICMP`, `TCP` or `UDP`, in any case.
pub(super) fn protocol(text: &str) -> Option<Protocol> {
    let all = [Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp];
    all.into_iter().find(|p| text.eq_ignore_ascii_case(protocol_name(*p)))
}

pub(super) const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::All => "ALL",
        Protocol::Icmp => "ICMP",
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

/// `first/last`; `-1/-1`, the inner `None`, is any.
pub(super) fn port_range(text: &str) -> Option<Option<PortRange>> {
    if text == "-1/-1" {
        return Some(None);
    }
    let (first, last) = text.split_once('/')?;
    let digits = |s: &str| {
        if s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<u16>().ok() } else { None }
    };
    let (first, last) = (digits(first)?, digits(last)?);
    (first <= last).then_some(Some(PortRange { first, last }))
}

pub(super) fn ports_text(range: Option<PortRange>) -> String {
    range.map_or_else(|| "-1/-1".to_owned(), |r| format!("{}/{}", r.first, r.last))
}
