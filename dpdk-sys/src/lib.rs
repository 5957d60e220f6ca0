//! Raw bindings to DPDK 22.11: what vswitch calls and nothing else. The safe door is `vswitch::dpdk`.
#![allow(unsafe_code)]

mod bindings {
    // Machine-made: names, docs and shapes are C's.
    #![allow(
        missing_docs,
        non_camel_case_types,
        non_snake_case,
        non_upper_case_globals,
        unsafe_op_in_unsafe_fn,
        clippy::all,
        clippy::undocumented_unsafe_blocks
    )]
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
mod layout;

pub use bindings::*;
