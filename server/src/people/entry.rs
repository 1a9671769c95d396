//! Enters a leave: from when on somebody holds nothing by it, whether it is said once more, and who takes over.
//!
//! It knows neither clock nor accounts: that an administrator stays is asked by who does.

use patrol_core::domain::directory::{Person, Post};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;

use super::{LeaveFault, Leaving};
use crate::calendar::day_begins;
use crate::directory::leaves::{Basis, Leave, Named};
use crate::directory::post_key;

/// Whether a leave has been said before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    First,
    Again,
}

/// A leave that has been entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entered {
    /// Its number.
    pub(super) no: u64,
    /// From when on he holds nothing by it.
    pub(super) from: Timestamp,
    pub(super) said: Said,
}

/// Enters a leave, or who takes over by one that is said once more.
pub(super) fn enter(
    basis: &mut Basis,
    leaving: Leaving,
    now: Timestamp,
) -> Result<Entered, LeaveFault> {
    let decided = basis.decided();
    let people = &decided.people;
    let known = people.iter().find(|known| known.id == leaving.person);
    let person = known.ok_or(LeaveFault::Unknown)?;
    // Who has left may have ended all of it by a file since.
    let ends_any = |leave: &Leave| decided.ended.iter().any(|(no, _)| *no == leave.no);
    let own = basis.leaves.iter().rev();
    let own = own.filter(|leave| leave.person == leaving.person && ends_any(leave));
    // The one that is said the most nearly; of those alike the last that was entered.
    let again = own
        .filter_map(|leave| Some((fit(leave, leaving, now)?, leave)))
        .min_by_key(|(fit, _)| *fit)
        .map(|(_, leave)| leave);
    if let Some(again) = again {
        let is_back = again.from <= now && holds_at(person, now);
        let is_back_today = is_back && day_begins(again.from) == day_begins(now);
        let entered = Entered {
            no: again.no,
            from: again.from,
            said: Said::Again,
        };
        match leaving.substitute {
            Some(substitute) if !is_back_today => {
                name(basis, entered, substitute, (people, now))?;
                return Ok(entered);
            }
            None if now < entered.from => {
                let is_earlier = |other: &Leave| {
                    other.person == leaving.person
                        && entered.no < other.no
                        && other.from < entered.from
                };
                return Err(match basis.leaves.iter().any(is_earlier) {
                    true => LeaveFault::LeavesAlready,
                    false => LeaveFault::LeavesThen,
                });
            }
            None if !is_back => return Err(LeaveFault::NoPost),
            // He came back, and leaves once more.
            _ => {}
        }
    }
    let from = leaving.from.max(now);
    holds_after(person, from, now)?;
    let said = basis.said.iter().find(|said| said.id == leaving.person);
    let said = said.map_or(&[][..], |said| &said.posts);
    let no = basis.next_no();
    let mut leave = Leave {
        no,
        person: leaving.person,
        asked: leaving.from,
        from,
        known: said
            .iter()
            .filter(|post| goes_on_at(post, from))
            .map(post_key)
            .collect(),
        substitutes: Vec::new(),
    };
    if let Some(substitute) = leaving.substitute {
        if !may_take_over(&leave, substitute, (people, from)) {
            return Err(LeaveFault::Substitute);
        }
        leave.substitutes.push(Named {
            no: no + 1,
            person: substitute,
            since: from,
        });
    }
    basis.leaves.push(leave);
    let said = Said::First;
    Ok(Entered { no, from, said })
}

/// How nearly a leave is the one that is said once more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// By its time, or by the one that was said.
    Time,
    /// It has come, and is known by its day alone.
    Day,
    /// It came today, by which one is meant that is said of a day before: it began with the minute in which it was entered.
    Today,
}

/// Whether a leave is the one that is said once more.
fn fit(leave: &Leave, leaving: Leaving, now: Timestamp) -> Option<Fit> {
    let said = leaving.from;
    let is_of_day = |day| day_begins(leave.from) == day_begins(day);
    let has_come = leave.from <= now;
    match said {
        _ if leave.from == said || (has_come && leave.asked == said) => Some(Fit::Time),
        _ if has_come && is_of_day(said) => Some(Fit::Day),
        _ if has_come && said <= now && is_of_day(now) => Some(Fit::Today),
        _ => None,
    }
}

/// Whether somebody holds anything after a time; why he does not leave, otherwise.
fn holds_after(person: &Person, from: Timestamp, now: Timestamp) -> Result<(), LeaveFault> {
    let posts = &person.posts;
    if posts.iter().any(|post| goes_on_at(post, from)) {
        return Ok(());
    }
    let ends_then = posts.iter().any(|post| post.until == Some(from));
    let is_ahead = posts.iter().any(|post| goes_on_at(post, now));
    Err(match ends_then && now < from {
        true => LeaveFault::EndsThen,
        false if is_ahead => LeaveFault::LeavesAlready,
        false => LeaveFault::NoPost,
    })
}

/// Names who takes over by a leave that is there, from now on if it has come. Where the answer was lost, there is nothing to change.
fn name(
    basis: &mut Basis,
    entered: Entered,
    substitute: PersonId,
    (people, now): (&[Person], Timestamp),
) -> Result<(), LeaveFault> {
    let (no, since) = (basis.next_no(), entered.from.max(now));
    let mut named = basis.clone();
    let mut leaves = named.leaves.iter_mut();
    let Some(leave) = leaves.find(|leave| leave.no == entered.no) else {
        return Err(LeaveFault::NoPost);
    };
    let last = leave.substitutes.last();
    let is_named = last.is_some_and(|last| last.person == substitute);
    if !may_take_over(leave, substitute, (people, since)) {
        return match is_named {
            true => Ok(()),
            false => Err(LeaveFault::Substitute),
        };
    }
    let person = substitute;
    leave.substitutes.push(Named { no, person, since });
    if !is_named || named.in_force() != people {
        *basis = named;
    }
    Ok(())
}

/// Who has left is not let in again by another's leave.
fn may_take_over(
    leave: &Leave,
    substitute: PersonId,
    (people, at): (&[Person], Timestamp),
) -> bool {
    let known = people.iter().find(|known| known.id == substitute);
    leave.person != substitute && known.is_some_and(|known| holds_at(known, at))
}

fn holds_at(person: &Person, at: Timestamp) -> bool {
    person.posts.iter().any(|post| post.is_in_force_at(at))
}

fn goes_on_at(post: &Post, at: Timestamp) -> bool {
    post.until.is_none_or(|until| at < until)
}

#[cfg(test)]
mod tests;
