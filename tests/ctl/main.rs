//! `vswitchctl` against a made-up daemon: what each command asks, and what it says of the answer.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod doctor;
mod errors;
mod fake;
mod inventory;
mod requests;
mod tables;
mod top;
