//! Guests, generators and peers around vswitch. Today: [`guest`], a vhost-user frontend of our own.

pub mod guest;
pub mod sys;
