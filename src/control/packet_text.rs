//! Packets as people write them for `explain`. It stands alone, so that the build script can read it for the command
//! line's sake.

use std::fmt::Write;
use std::net::Ipv4Addr;

/// How a packet is written.
pub const EXPECTED: &str =
    "SOURCE[:PORT]>DESTINATION[:PORT]/PROTOCOL[,len=BYTES], such as 10.0.0.1:1234>10.0.0.2:80/tcp,len=1500";
/// Bytes of IP of a packet that names no length; also the default of `--length`.
pub const DEFAULT_LENGTH: u16 = 100;
/// The longest frame that can be: Ethernet's header and the longest IPv4 packet.
const LONGEST_FRAME: usize = 14 + 65_535;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// A packet of which only these fields matter. Ports are 0 for protocols without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketText {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// IP protocol number.
    pub protocol: u8,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// IP total length in bytes.
    pub length: u16,
}

/// The bytes of a frame, from the destination MAC on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HexFrame(pub Vec<u8>);

/// Reads a packet such as `10.0.0.1:1234>10.0.0.2:80/tcp,len=1500`. A port that is left out is 0, a length 100.
///
/// # Errors
/// What is wrong, and how a packet is written.
pub fn packet(text: &str) -> Result<PacketText, String> {
    read(text).map_err(|what| format!("{what}; a packet is {EXPECTED}"))
}

fn read(text: &str) -> Result<PacketText, String> {
    let (ends, options) = text.split_once(',').map_or((text, None), |(ends, options)| (ends, Some(options)));
    let (ends, name) = ends.rsplit_once('/').ok_or("there is no / with a protocol behind it")?;
    let (source, destination) = ends.split_once('>').ok_or("there is no > between source and destination")?;
    let (source, source_port) = end("source", source)?;
    let (destination, destination_port) = end("destination", destination)?;
    let protocol = protocol(name.trim())?;
    if !matches!(protocol, TCP | UDP) && (source_port.is_some() || destination_port.is_some()) {
        return Err(format!("protocol = {}: only tcp and udp have ports", name.trim()));
    }
    let mut length = None;
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        let value = option.trim().strip_prefix("len=").ok_or_else(|| format!("{option:?}: the only option is len="))?;
        let bytes = number::<u16>(value).ok_or_else(|| format!("len = {value}: a whole number up to 65535"))?;
        if length.replace(bytes).is_some() {
            return Err("len is given twice".to_owned());
        }
    }
    let packet = PacketText {
        source,
        destination,
        protocol,
        source_port: source_port.unwrap_or(0),
        destination_port: destination_port.unwrap_or(0),
        length: length.unwrap_or(DEFAULT_LENGTH),
    };
    packet.check()?;
    Ok(packet)
}

fn end(what: &str, text: &str) -> Result<(Ipv4Addr, Option<u16>), String> {
    let (address, port) = text.trim().split_once(':').map_or((text.trim(), None), |(a, port)| (a, Some(port)));
    let address = address.parse().map_err(|_| format!("{what} = {address:?}: not an IPv4 address"))?;
    let port = port.map(|port| {
        number(port).ok_or_else(|| format!("port of the {what} = {port:?}: a whole number from 0 to 65535"))
    });
    Ok((address, port.transpose()?))
}

/// Digits alone: no sign, no space.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The number of a protocol: `tcp`, `udp`, `icmp` or a number.
///
/// # Errors
/// What is allowed.
pub fn protocol(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "icmp" => Ok(ICMP),
        "tcp" => Ok(TCP),
        "udp" => Ok(UDP),
        other => number(other).ok_or_else(|| format!("protocol = {text:?}: tcp, udp, icmp or a number below 256")),
    }
}

impl PacketText {
    /// Bytes of the transport header.
    #[must_use]
    pub const fn transport(&self) -> u16 {
        match self.protocol {
            TCP => 20,
            UDP | ICMP => 8,
            _ => 0,
        }
    }

    /// The length must have room for the headers.
    ///
    /// # Errors
    /// How long it is at least.
    pub fn check(&self) -> Result<(), String> {
        let least = 20 + self.transport();
        if self.length >= least {
            return Ok(());
        }
        Err(format!("length = {}: such a packet has at least {least} bytes", self.length))
    }
}

/// Reads a frame in hexadecimal; spaces, line ends, colons and dashes between digits, and `0x` before them, are nothing.
///
/// # Errors
/// What is wrong, and how a frame is written.
pub fn frame(text: &str) -> Result<HexFrame, String> {
    let form = "a whole Ethernet frame is written in hexadecimal digits, from the destination MAC on, \
                such as 02000000000b 02000000000a 0800 45…";
    let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim());
    let (mut bytes, mut half) = (Vec::with_capacity(digits.len() / 2), None);
    for (at, c) in digits.chars().enumerate().filter(|(_, c)| !c.is_whitespace() && !matches!(c, ':' | '-')) {
        let digit = c.to_digit(16).ok_or_else(|| format!("character {} is {c:?}; {form}", at + 1))? as u8;
        match half.take() {
            None => half = Some(digit << 4),
            Some(high) => bytes.push(high | digit),
        }
    }
    match bytes.len() {
        _ if half.is_some() => Err(format!("half a byte is left over at the end; {form}")),
        0 => Err(format!("there are no digits; {form}")),
        n if n > LONGEST_FRAME => Err(format!("{n} bytes: a frame has at most {LONGEST_FRAME}")),
        _ => Ok(HexFrame(bytes)),
    }
}

impl HexFrame {
    /// The digits.
    #[must_use]
    pub fn digits(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
