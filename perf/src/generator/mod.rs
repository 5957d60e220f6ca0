//! Guests that poll: they offer traffic and take it back, on a CPU of their own.
