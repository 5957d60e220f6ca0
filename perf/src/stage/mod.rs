//! Stages of the packet's way one by one, in TSC cycles a packet.
