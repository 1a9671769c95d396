//! Stories: that the parts work together. Each rule is tested where it lives; these prove the wiring.

mod one_case;
