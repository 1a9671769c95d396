//! A stolen token that only reads: it is all that a phone shows of itself for that, so whoever has it is told what its phone would be told, and
//! nothing beyond that.
//!
//! What documents are in the pages of a scope is asked elsewhere (`tests/invariants/leak.rs`).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use patrol_core::domain::place::Scope;
use patrol_core::sync::session::{self, Incoming, Session};
use patrol_core::sync::wire::Hello;

use super::{Foe, round};
use crate::bench::bytes::villages_of;
use crate::bench::client::Connection;

impl Foe<'_> {
    /// Asks with the victim's token for everything, and pushes nothing.
    ///
    /// # Errors
    /// What was told beside the victim's own scopes, or was not told of them.
    pub(crate) fn reads_as_the_victim(&self, server: SocketAddr) -> Result<(), String> {
        let hello = Hello::first(self.app.identity.epoch);
        let request = round(Some(&self.victim.token), &session::request(&hello, &[]));
        let body = Connection::open(server).exchange(&request);
        let mut session = Session::new(Vec::new());
        let incoming = session
            .receive(&body)
            .map_err(|fault| format!("{fault:?}"))?;
        let (mut told, mut pages) = (BTreeSet::new(), 0);
        for frame in &incoming {
            match frame {
                Incoming::Scopes(scopes) => {
                    told.extend(scopes.scopes.iter().map(|(_, scope)| *scope));
                }
                Incoming::Page(_) => pages += 1,
                _ => {}
            }
        }
        let person = self.victim.person;
        let villages = villages_of(self.app, person).into_iter();
        let villages: BTreeSet<Scope> = villages.map(Scope::Village).collect();
        // His person's scope, once there is anything in it.
        let is_own = |scope: &Scope| villages.contains(scope) || *scope == Scope::Person(person);
        let is_told = villages.is_subset(&told) && told.iter().all(is_own);
        let is_so = session.is_done() && pages > 0 && is_told;
        is_so
            .then_some(())
            .ok_or_else(|| format!("a stolen token that reads: {pages} pages of {told:?}"))
    }
}
