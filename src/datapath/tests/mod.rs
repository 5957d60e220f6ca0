//! The packet's way on heap buffers, byte for byte.

mod admit;
mod bandwidth;
mod crossings;
mod cuts;
mod fragments;
mod mirror;
mod oracle;
mod plan;
mod reasons;
mod route;
mod town;
mod workers;
mod world;
