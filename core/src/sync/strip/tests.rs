//! Golden bytes of stripped items.
