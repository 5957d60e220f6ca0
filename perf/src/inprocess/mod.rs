//! Guests that each worker's own thread emulates, between its turns.
