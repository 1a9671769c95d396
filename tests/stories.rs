//! Stories: that the parts work together. Each rule is tested where it lives; these prove the wiring.

mod bad_network;
mod demo;
mod hostile_over_http;
mod late_work;
mod one_case;
mod tally;
