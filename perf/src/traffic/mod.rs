//! The generator's frames, and how each is verified when it comes back.
