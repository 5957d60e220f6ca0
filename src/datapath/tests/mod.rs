//! The packet's way on heap buffers, byte for byte.

mod admit;
mod cuts;
mod mirror;
mod oracle;
mod reasons;
mod route;
mod workers;
mod world;
