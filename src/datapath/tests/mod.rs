//! The packet's way on heap buffers, byte for byte.

mod admit;
mod bandwidth;
mod cuts;
mod fragments;
mod mirror;
mod oracle;
mod overload;
mod reasons;
mod route;
mod workers;
mod world;
