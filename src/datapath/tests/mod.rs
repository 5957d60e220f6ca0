//! The packet's way on heap buffers, byte for byte.

mod admit;
mod bandwidth;
mod crossings;
mod cuts;
mod excluded;
mod fragments;
mod mirror;
mod oracle;
mod oracle_runs;
mod oracle_values;
mod overload;
mod plan;
mod reasons;
mod route;
mod town;
mod workers;
mod world;
