//! What goes wrong in an inspector's day: his post ends while his phone is away from any line; his phone is lost and found again; a shop
//! copies his phone and both live on; a forged app acts past its rights.
//!
//! Nothing here counts or pretends: the server's refusals and reviews follow from it, or do not.

use std::sync::Arc;

use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::city::City;
use super::inspector::{Errand, Inspector};
use super::phone::{Line, Phone};

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// His post ends today; his phone does not know, and he works on. Tomorrow he has it back.
    PostEnds,
    /// He loses his phone, with work on it.
    PhoneLost,
    /// The administrator hears of it.
    LossReported,
    /// He gets another phone.
    NewPhone,
    /// Somebody finds the lost phone and turns it on where there is a line.
    PhoneFound,
    /// A shop copies his phone; both copies stay in use.
    PhoneCopied,
    /// He uses an app that somebody has forged.
    ForgedApp,
}

/// What happens every day to somebody, in this order while there are inspectors to whom nothing has happened.
const OF_A_DAY: [Trouble; 7] = [
    Trouble::PostEnds,
    Trouble::PhoneLost,
    Trouble::ForgedApp,
    Trouble::PhoneCopied,
    Trouble::PostEnds,
    Trouble::PhoneLost,
    Trouble::ForgedApp,
];

impl Trouble {
    /// What happens to an inspector today, and when.
    pub fn of_day(city: &City, place: usize) -> Vec<(u64, Self)> {
        let mut rng = ChaCha8Rng::seed_from_u64(city.seed_for(900_000 + city.day()));
        let mut places: Vec<usize> = (0..city.plan.inspectors).collect();
        places.shuffle(&mut rng);
        let mut happens = Vec::new();
        for (struck, trouble) in places.into_iter().zip(OF_A_DAY) {
            let start = rng.random_range(200..350);
            let at = |thousandths| city.morning() + city.plan.share(thousandths);
            if struck != place {
                continue;
            }
            match trouble {
                Self::PhoneLost => happens.extend([
                    (at(start), Self::PhoneLost),
                    (at(start + 15), Self::LossReported),
                    (at(start + 40), Self::NewPhone),
                    (at(start + 250), Self::PhoneFound),
                ]),
                Self::ForgedApp => {
                    happens.extend([0, 120, 300].map(|later| (at(start + later), Self::ForgedApp)));
                }
                other => happens.push((at(start), other)),
            }
        }
        happens
    }
}

impl Inspector {
    /// Something goes wrong now.
    pub(super) async fn suffer(&mut self, city: &City, minute: u64, trouble: Trouble) {
        match trouble {
            Trouble::PostEnds => self.post_ends(city, minute),
            Trouble::PhoneLost => self.lose_phone(city, minute),
            Trouble::LossReported => self.report_loss(city, minute).await,
            Trouble::NewPhone => self.take_new_phone(city, minute).await,
            Trouble::PhoneFound => self.find_phone(city).await,
            Trouble::PhoneCopied => {
                self.wants_copy = true;
                self.carrier.find_line(city, minute);
            }
            Trouble::ForgedApp => self.forge(city),
        }
    }

    /// He works on for a while: what he does now goes to review.
    fn post_ends(&mut self, city: &City, minute: u64) {
        let plan = &city.plan;
        city.end_posts(self.person, self.beat, self.substitute);
        self.is_away = true;
        self.carrier.stay_away_until(minute + plan.share(130));
        for errand in [
            Errand::Report,
            Errand::Note,
            Errand::Amend,
            Errand::Report,
            Errand::Note,
        ] {
            let later = self.rng.random_range(plan.share(5)..plan.share(110));
            self.intend(minute + later, errand);
        }
        city.tell(format!(
            "{} 调离岗位，手机还在山里 · post ended while the phone has no line; a colleague stands in",
            self.name
        ));
    }

    fn lose_phone(&mut self, city: &City, minute: u64) {
        self.carrier.stay_away_until(minute + city.plan.share(40));
        for errand in [Errand::Report, Errand::Note, Errand::Report] {
            self.run_errand(city, errand);
        }
        self.lost = self.carrier.phone.clone();
        self.carrier.lay_aside();
        city.tell(format!(
            "{} 手机丢在田埂上 · phone lost with work on it",
            self.name
        ));
    }

    async fn report_loss(&mut self, city: &City, minute: u64) {
        let Some(device) = self.lost.as_ref().and_then(|phone| phone.device()) else {
            return;
        };
        if !city.revoke(device).await {
            let later = minute + city.plan.share(10);
            return self.intend(later, Errand::Trouble(Trouble::LossReported));
        }
        // A copy of it stops with it.
        let stopped = self.phones();
        let stopped = stopped
            .iter()
            .filter(|phone| phone.device() == Some(device));
        stopped.for_each(|phone| phone.note_revoked());
        let copy = self.copy.take_if(|copy| copy.device() == Some(device));
        self.carrier.others.extend(copy);
        city.tell(format!("{} 的旧手机已吊销 · lost phone revoked", self.name));
    }

    async fn take_new_phone(&mut self, city: &City, minute: u64) {
        match Phone::enrol(city, self.person, &self.name, 0).await {
            Some(phone) => {
                self.carrier.change_to(phone);
                self.carrier.find_line(city, minute);
                city.tell(format!("{} 领到新手机 · new phone enrolled", self.name));
            }
            None => self.intend(
                minute + city.plan.share(10),
                Errand::Trouble(Trouble::NewPhone),
            ),
        }
    }

    /// Its finder turns it on: what is on it is handed in, and goes to review.
    async fn find_phone(&mut self, city: &City) {
        let Some(phone) = self.lost.take() else {
            return;
        };
        for _ in 0..10 {
            if phone.sync(city).await {
                break;
            }
        }
        city.tell(format!(
            "{} 的旧手机找到了 · lost phone found, its work handed in",
            self.name
        ));
    }

    /// A forged app closes a case by itself, and its owner goes on as if nothing were wrong.
    fn forge(&mut self, city: &City) {
        let Some(phone) = self.carrier.phone.clone() else {
            return;
        };
        let cases = phone.cases(&[
            "reported",
            "accepted",
            "registered",
            "dispatched",
            "resolved",
        ]);
        let Some((document, _)) = cases.choose(&mut self.rng) else {
            return;
        };
        if phone.forge(city, self.carrier.line(), *document).is_some() {
            city.tell(format!(
                "{} 用改装软件擅自结案 · a forged app closes a case",
                self.name
            ));
            self.run_errand(city, Errand::Note);
        }
    }

    /// What a whole round makes possible: the copy is made when nothing waits; a phone that is told that it lives twice is replaced
    /// when it has handed in everything.
    pub(super) async fn after_round(&mut self, city: &City, minute: u64) {
        let Some(phone) = self.carrier.phone.clone() else {
            return;
        };
        if self.wants_copy && self.copy.is_none() && phone.has_handed_in() {
            self.wants_copy = false;
            self.make_copy(city, minute, &phone);
            return;
        }
        let Some(copy) = self.copy.clone() else {
            return;
        };
        let is_told = phone.is_told_to_enrol_anew() || copy.is_told_to_enrol_anew();
        if is_told
            && phone.has_handed_in()
            && copy.has_handed_in()
            && let Some(new) = Phone::enrol(city, self.person, &self.name, 0).await
        {
            self.carrier.others.extend(self.copy.take());
            self.carrier.change_to(new);
            self.carrier.find_line(city, minute);
            city.tell(format!(
                "{} 重新注册手机 · both copies handed in, enrolled anew",
                self.name
            ));
        }
    }

    /// Both copies go on, at first with the very same case.
    fn make_copy(&mut self, city: &City, minute: u64, phone: &Arc<Phone>) {
        let Some(copy) = phone.copy(city, &self.name) else {
            return;
        };
        let copy = Arc::new(copy);
        self.carrier.stay_away_until(minute + city.plan.share(90));
        let cases = phone.cases(&["reported", "accepted", "dispatched", "resolved"]);
        if let Some((document, _)) = cases.choose(&mut self.rng) {
            for hand in [phone, &copy] {
                let words = super::words::note(&mut self.rng);
                let choice =
                    super::page::Choice::saying(patrol_core::domain::action::Action::Note, words);
                hand.act(city, Line::None, *document, &choice);
            }
        }
        self.copy = Some(copy);
        city.tell(format!(
            "{} 换机时整机复制，两部都在用 · phone copied, both live on",
            self.name
        ));
    }
}
