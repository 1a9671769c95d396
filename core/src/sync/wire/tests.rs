//! Golden bytes of every frame.
