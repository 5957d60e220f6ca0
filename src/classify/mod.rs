//! Module classify.
