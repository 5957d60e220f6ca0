//! Module datapath.
