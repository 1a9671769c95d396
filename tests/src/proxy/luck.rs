//! What happens to connections and exchanges, drawn from a seed. It moves no byte and waits for nothing.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// How bad a network is: of a thousand connections or exchanges, how many suffer what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// Connections refused.
    pub refuse: u32,
    /// Requests cut, if they are long enough for the place of the cut.
    pub cut_request: u32,
    /// Responses cut, if they are long enough for the place of the cut.
    pub cut_response: u32,
    /// Exchanges that wait before they begin.
    pub delay: u32,
    /// Exchanges that stand still for a while.
    pub stall: u32,
    /// Exchanges over a thin line.
    pub throttle: u32,
    /// Exchanges that a login page answers.
    pub portal: u32,
    /// Milliseconds that one wait of an exchange takes at most; a thin line may cost as much once more.
    pub wait_ms_max: u64,
    /// The line that carries everything, if it is a poor one.
    pub line: Option<Line>,
}

/// A line as it is all the time, whatever mishaps come on top.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// Milliseconds that a message is on its way, before its first byte arrives.
    pub delay_ms: u64,
    /// Packets of a thousand that are lost, and come with the next try.
    pub loss: u32,
    /// How much it carries.
    pub bytes_a_second: u64,
    /// Milliseconds that a connection lives, at least and at most.
    pub life_ms: (u64, u64),
}

impl Line {
    /// Milliseconds that a packet takes, behind the one before it.
    pub(super) fn packet_ms(&self, len: usize, luck: &mut Luck) -> u64 {
        // Whoever misses an answer asks again after a round trip.
        let lost = if luck.hits(self.loss) { 2 } else { 0 };
        len as u64 * 1_000 / self.bytes_a_second + lost * self.delay_ms
    }
}

impl Weather {
    /// By its name, as commands take it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "fair" => Some(FAIR),
            "rural" => Some(RURAL),
            "2g" => Some(TWO_G),
            _ => None,
        }
    }
}

/// Nothing ever happens.
pub const FAIR: Weather = Weather {
    refuse: 0,
    cut_request: 0,
    cut_response: 0,
    delay: 0,
    stall: 0,
    throttle: 0,
    portal: 0,
    wait_ms_max: 0,
    line: None,
};

/// The last bar of an old network, on the way: 40 kbit/s, and no connection lives longer than a minute and a half.
pub const TWO_G: Weather = Weather {
    line: Some(Line {
        delay_ms: 600,
        loss: 30,
        bytes_a_second: 5_000,
        life_ms: (20_000, 90_000),
    }),
    ..FAIR
};

/// Between the hills: about one exchange in four goes wrong.
pub const RURAL: Weather = Weather {
    refuse: 60,
    cut_request: 120,
    cut_response: 140,
    delay: 300,
    stall: 80,
    throttle: 200,
    portal: 25,
    wait_ms_max: 250,
    line: None,
};

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// The luck of one connection.
#[derive(Debug)]
pub(super) struct Luck(ChaCha8Rng);

impl Luck {
    pub(super) fn new(seed: u64, connection: u64) -> Self {
        let mixed = seed
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(connection);
        Self(ChaCha8Rng::seed_from_u64(mixed))
    }

    fn hits(&mut self, of_a_thousand: u32) -> bool {
        self.0.random_range(0..1_000) < of_a_thousand
    }

    pub(super) fn refuses(&mut self, weather: &Weather) -> bool {
        self.hits(weather.refuse)
    }

    /// How long a connection lives, where its line bounds that.
    pub(super) fn life_ms(&mut self, weather: &Weather) -> Option<u64> {
        let (least, most) = weather.line?.life_ms;
        Some(self.0.random_range(least..=most))
    }

    /// Draws what happens to the next exchange.
    pub(super) fn exchange(&mut self, weather: &Weather) -> Exchange {
        let mut exchange = Exchange {
            is_portal: self.hits(weather.portal),
            budget_ms: weather.wait_ms_max,
            ..Exchange::default()
        };
        if self.hits(weather.cut_request) {
            exchange.cut = Some((Way::Up, self.place()));
        } else if self.hits(weather.cut_response) {
            exchange.cut = Some((Way::Down, self.place()));
        }
        if self.hits(weather.delay) {
            exchange.delay_ms = Some(self.wait_ms(weather));
        }
        if self.hits(weather.stall) {
            let way = if self.0.random_bool(0.5) {
                Way::Up
            } else {
                Way::Down
            };
            exchange.stall = Some((way, self.place(), self.wait_ms(weather)));
        }
        if self.hits(weather.throttle) {
            exchange.bytes_a_second = Some(self.0.random_range(8_000..400_000));
        }
        exchange
    }

    fn wait_ms(&mut self, weather: &Weather) -> u64 {
        self.0.random_range(0..=weather.wait_ms_max)
    }

    /// After how many bytes: any magnitude is as likely, so that short messages are hit too, and some before their first byte.
    fn place(&mut self) -> usize {
        let magnitude = self.0.random_range(0..14);
        self.0.random_range(0..1usize << magnitude)
    }
}

/// What happens to one exchange, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) is_portal: bool,
    cut: Option<(Way, usize)>,
    delay_ms: Option<u64>,
    stall: Option<(Way, usize, u64)>,
    bytes_a_second: Option<usize>,
    has_throttled: bool,
    /// Milliseconds that the thin line may still cost.
    budget_ms: u64,
    passed_up: usize,
    passed_down: usize,
}

impl Exchange {
    fn passed(&self, way: Way) -> usize {
        match way {
            Way::Up => self.passed_up,
            Way::Down => self.passed_down,
        }
    }

    /// The wait before the exchange begins, once.
    pub(super) fn take_delay(&mut self) -> Option<u64> {
        self.delay_ms.take()
    }

    /// The wait that is due before the next `len` bytes go on, once.
    pub(super) fn take_stall(&mut self, way: Way, len: usize) -> Option<u64> {
        let reached = self.passed(way) + len;
        let is_due = |(of, at, _): &mut (Way, usize, u64)| *of == way && *at < reached;
        self.stall.take_if(is_due).map(|(_, _, ms)| ms)
    }

    /// How many of the next `len` bytes go on, and whether the connection is cut behind them.
    pub(super) fn kept(&mut self, way: Way, len: usize) -> (usize, bool) {
        let left = match self.cut {
            Some((of, at)) if of == way => at.saturating_sub(self.passed(way)),
            _ => usize::MAX,
        };
        let kept = len.min(left);
        match way {
            Way::Up => self.passed_up += kept,
            Way::Down => self.passed_down += kept,
        }
        (kept, left < len)
    }

    /// How long the thin line takes for `len` bytes, as long as the exchange's patience lasts.
    pub(super) fn throttle(&mut self, len: usize) -> Option<u64> {
        let rate = self.bytes_a_second?;
        let ms = (len as u64 * 1_000 / rate as u64).min(self.budget_ms);
        self.budget_ms -= ms;
        (ms > 0).then_some(ms)
    }

    /// Whether this is the first time that the thin line cost something.
    pub(super) fn is_first_throttled(&mut self) -> bool {
        !std::mem::replace(&mut self.has_throttled, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_connection_have_the_same_luck() {
        let draw = |seed, connection| {
            let mut luck = Luck::new(seed, connection);
            format!("{:?} {:?}", luck.refuses(&RURAL), luck.exchange(&RURAL))
        };
        assert_eq!(draw(7, 3), draw(7, 3));
        let all: std::collections::BTreeSet<String> =
            (0..50).map(|connection| draw(7, connection)).collect();
        assert!(all.len() > 20, "{}", all.len());
    }

    #[test]
    fn a_cut_falls_behind_its_byte_and_only_on_its_way() {
        let mut exchange = Exchange {
            cut: Some((Way::Down, 10)),
            ..Exchange::default()
        };
        assert_eq!(exchange.kept(Way::Up, 100), (100, false));
        assert_eq!(exchange.kept(Way::Down, 8), (8, false));
        assert_eq!(exchange.kept(Way::Down, 8), (2, true));
    }

    #[test]
    fn a_thin_line_costs_no_more_than_its_bound() {
        let mut exchange = Exchange {
            bytes_a_second: Some(1_000),
            budget_ms: 250,
            ..Exchange::default()
        };
        let waits: Vec<Option<u64>> = (0..4).map(|_| exchange.throttle(100)).collect();
        assert_eq!(waits, [Some(100), Some(100), Some(50), None]);
    }

    #[test]
    fn a_poor_line_takes_its_time_for_each_packet_and_longer_for_a_lost_one() {
        let line = TWO_G.line.expect("a line");
        let mut luck = Luck::new(1, 1);
        let times: Vec<u64> = (0..10_000)
            .map(|_| line.packet_ms(1_000, &mut luck))
            .collect();
        let lost = times.iter().filter(|ms| **ms > 200).count();
        assert!((200..400).contains(&lost), "{lost}");
        assert!(times.iter().all(|ms| [200, 1_400].contains(ms)));
        let life = luck.life_ms(&TWO_G).expect("a life");
        assert!((20_000..=90_000).contains(&life), "{life}");
        assert_eq!(luck.life_ms(&RURAL), None);
    }

    #[test]
    fn in_fair_weather_nothing_happens() {
        let mut luck = Luck::new(1, 1);
        for _ in 0..100 {
            let exchange = luck.exchange(&FAIR);
            assert!(!exchange.is_portal && exchange.cut.is_none() && exchange.delay_ms.is_none());
            assert!(!luck.refuses(&FAIR));
        }
    }
}
