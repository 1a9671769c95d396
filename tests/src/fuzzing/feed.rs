//! Inputs for the targets without a fuzzer: those of a corpus, altered a little, every second of them one that gets beyond the
//! target's first step as it is.
//!
//! It has no guidance: what reaches something new is not kept.

use std::io;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Reached, Target, corpora};

/// Alterations of one input at most.
const ALTERATIONS: usize = 4;
/// One in so many inputs is only noise.
const NOISE: u32 = 16;
/// Bytes of noise at most.
const NOISE_LEN: usize = 96;
/// An input does not grow beyond this.
const LEN: usize = 4_096;

/// Inputs without end, the same for the same seed.
#[derive(Debug)]
pub struct Feed {
    corpus: Vec<Vec<u8>>,
    /// Those that get beyond the first step.
    within: Vec<Vec<u8>>,
    rng: ChaCha8Rng,
}

impl Feed {
    /// Inputs for a target.
    ///
    /// # Errors
    /// Where its corpus cannot be read.
    pub fn of((target, run): Target, seed: u64) -> io::Result<Self> {
        let mut paths = Vec::new();
        for file in std::fs::read_dir(corpora().join(target))? {
            paths.push(file?.path());
        }
        paths.sort_unstable();
        let corpus: io::Result<Vec<Vec<u8>>> = paths.iter().map(std::fs::read).collect();
        let corpus = corpus?;
        let is_within = |input: &&Vec<u8>| run(input) == Reached::Within;
        Ok(Self {
            within: corpus.iter().filter(is_within).cloned().collect(),
            corpus,
            rng: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    fn noise(&mut self) -> Vec<u8> {
        let len = self.rng.random_range(0..NOISE_LEN);
        (0..len).map(|_| self.rng.random()).collect()
    }

    fn some(&mut self) -> Vec<u8> {
        let among = if self.rng.random() {
            &self.within
        } else {
            &self.corpus
        };
        among.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    fn alter(&mut self, input: &mut Vec<u8>) {
        let place = self.rng.random_range(0..=input.len());
        match self.rng.random_range(0..6) {
            0 | 1 => {
                let bit = 1 << self.rng.random_range(0..8);
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= bit;
                }
            }
            2 => {
                let byte = self.rng.random();
                if let Some(there) = input.get_mut(place) {
                    *there = byte;
                }
            }
            3 => input.insert(place, self.rng.random()),
            4 => {
                let end = input.len().min(place + self.rng.random_range(1..8));
                input.drain(place..end);
            }
            _ => {
                // The rest of another, or some of its own once more.
                let other = self.some();
                let from = self.rng.random_range(0..=other.len());
                if self.rng.random() {
                    input.truncate(place);
                    input.extend(&other[from..]);
                } else {
                    let to = other.len().min(from + 16);
                    input.splice(place..place, other[from..to].iter().copied());
                }
            }
        }
        input.truncate(LEN);
    }
}

impl Iterator for Feed {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.rng.random_range(0..NOISE) == 0 {
            return Some(self.noise());
        }
        let mut input = self.some();
        for _ in 0..self.rng.random_range(0..=ALTERATIONS) {
            self.alter(&mut input);
        }
        Some(input)
    }
}

/// At least this share of a target's inputs must get beyond its first step, or the run has shown too little.
pub const WITHIN_SHARE: f64 = 0.05;

/// Runs so many inputs. Returns the share that got beyond the first step.
///
/// # Errors
/// That the share is too small.
pub fn feed((name, run): Target, inputs: impl Iterator<Item = Vec<u8>>) -> Result<f64, String> {
    let (mut count, mut within) = (0u64, 0u64);
    for input in inputs {
        count += 1;
        within += u64::from(run(&input) == Reached::Within);
    }
    let share = within as f64 / count.max(1) as f64;
    if share < WITHIN_SHARE {
        return Err(format!(
            "{name}: only {within} of {count} inputs got beyond the first step"
        ));
    }
    Ok(share)
}
