//! The test world: a server, people with phones, a clock and a bad network, all in one process and all seeded.
//!
//! Used by the stories, the simulation, the demo and the benchmarks. Nothing here ships.

pub mod bench;
pub mod clock;
pub mod demo;
pub mod fixture;
pub mod fuzzing;
mod hostile;
pub mod link;
pub mod proof;
pub mod proxy;
pub mod pushing;
pub mod served;
pub mod settling;
pub mod simulation;
pub mod tamper;
pub mod world;
