//! Guests, generators and peers around vswitch.
