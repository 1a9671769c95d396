//! Stories: that the parts work together. Each rule is tested where it lives; these prove the wiring.

mod bad_network;
mod busy_server;
mod components;
mod copied_phone;
mod crowd;
mod damaged_document;
mod demo;
mod followers;
mod gone_back;
mod hostile_device;
mod hostile_over_http;
mod hostile_phone;
mod late_work;
mod lost_on_the_way;
mod moved_beat;
mod moving;
mod one_case;
mod phone_calls;
mod poor_line;
mod rescue;
mod retired;
mod survey;
mod tally;
mod told_once;
mod upgraded;
mod wrong_sums;
