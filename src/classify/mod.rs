//! temp
#![allow(missing_docs)]
pub mod rule;
use rule::*;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports { Known(u16,u16), None, Unknown }
#[derive(Clone, Copy, Debug)]
pub struct Key { pub src: u32, pub dst: u32, pub protocol: u8, pub ports: Ports }
#[derive(Default)]
pub struct Keys(Vec<Key>);
impl Keys { pub fn push(&mut self, k: Key) { self.0.push(k) } }
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict { None, Match(u16), Unknown }
#[derive(Debug, thiserror::Error)]
#[error("too many rules")]
pub struct TooManyRules;
#[derive(Debug)]
pub struct Compiled(Vec<Rule>);
impl Compiled {
 pub fn new(r:&[Rule])->Result<Self,TooManyRules>{ Ok(Compiled(r.to_vec())) }
 pub fn classify(&self, keys:&Keys, out:&mut [Verdict;64]) { for (k,o) in keys.0.iter().zip(out) { *o=Verdict::None; for (i,r) in self.0.iter().enumerate() {
  let p = match r.protocol { Protocol::All=>true, Protocol::Icmp=>k.protocol==1, Protocol::Tcp=>k.protocol==6, Protocol::Udp=>k.protocol==17 };
  if !p || !r.src.contains(&std::net::Ipv4Addr::from(k.src)) || !r.dst.contains(&std::net::Ipv4Addr::from(k.dst)) {continue}
  if r.src_ports.is_some()||r.dst_ports.is_some() { match k.ports { Ports::Unknown=>{*o=Verdict::Unknown;break}, Ports::None=>continue, Ports::Known(s,d)=>{ let f=|r:Option<PortRange>,p|r.is_none_or(|r|(r.first..=r.last).contains(&p)); if !f(r.src_ports,s)||!f(r.dst_ports,d){continue} } } }
  *o=Verdict::Match(i as u16); break; } } }
}
