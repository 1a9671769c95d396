//! What the person at the terminal sees: where to sign in, one line a second, and what is worth telling in between.
//!
//! It only shows; a run without a screen is the same run.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::Ordering;

use patrol_core::domain::capability::Role;
use patrol_server::calendar::rfc3339;
use patrol_server::store::CaseQuery;

use super::accounts::login_of;
use super::city::City;
use super::plan::Span;

/// Stages as they are shown, in the order of the loop.
const STAGES: [(&str, &[&str]); 7] = [
    ("报", &["reported", "pre_checking"]),
    ("受", &["accepted", "registered"]),
    ("派", &["dispatched", "suspended"]),
    ("办", &["resolved", "post_checking"]),
    ("待", &["awaiting_close"]),
    ("结", &["closed"]),
    ("废", &["declined", "cancelled", "withdrawn"]),
];

/// The terminal.
pub struct Screen {
    out: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// Shows on that.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out }
    }

    /// Shows a line. That nobody looks is no reason to stop.
    pub fn line(&mut self, text: &str) {
        drop(writeln!(self.out, "{text}"));
        drop(self.out.flush());
    }

    /// Who is there, where to sign in, and how to read what follows.
    pub fn head(&mut self, city: &City) {
        let plan = &city.plan;
        let span = match plan.span {
            Span::Days(days) => format!("{days} 天 days"),
            Span::Live => "直到 Ctrl-C · until Ctrl-C".to_owned(),
        };
        self.line(&format!("巡村 Xuncun demo · {span} · seed {}", plan.seed));
        self.line(&format!("  server 服务器   {}", city.served.url));
        self.line(&format!(
            "  phones 手机     {} 巡查员 inspectors + {} 村干部 cadres, through the bad network 弱网 {}",
            plan.inspectors,
            plan.cadre_phones,
            city.proxy.url()
        ));
        self.line(&format!(
            "  sign in 登录    POST /v1/session; everybody's password 密码: {}",
            city.password
        ));
        let people = city.directory().people;
        let roles = [
            Role::Dispatcher,
            Role::Cadre,
            Role::UnitOperator,
            Role::Leader,
            Role::Administrator,
        ];
        for role in roles {
            let mut of_role: Vec<_> = people
                .iter()
                .filter(|person| person.posts.iter().any(|post| post.role == role))
                .collect();
            of_role.sort_by(|a, b| a.name.cmp(&b.name));
            if let (Some(first), Some(last)) = (of_role.first(), of_role.last()) {
                let (from, to) = (login_of(first), login_of(last));
                let logins = if from == to {
                    from
                } else {
                    format!("{from} … {to}")
                };
                self.line(&format!("                  {logins}  ({})", first.name));
            }
        }
        self.line("  one line a second: 案件 cases = 报 reported 受 accepted 派 dispatched 办 resolved 待 awaiting close");
        self.line("  结 closed 废 declined or withdrawn │ 记录 entries, 离线 of which made without a line │ review held+settled");
    }

    /// What has happened, and how everything stands.
    pub fn second(&mut self, city: &City) {
        for story in city.take_stories() {
            self.line(&format!("            · {story}"));
        }
        let (mut stages, mut conflicts, mut held) = (BTreeMap::new(), 0, 0);
        let looked = city.served.app.store.read(&mut |snapshot| {
            let query = CaseQuery {
                limit: 1_000_000,
                ..CaseQuery::default()
            };
            for (_, summary) in snapshot.cases(&query)? {
                *stages.entry(summary.stage).or_insert(0usize) += 1;
                conflicts += summary.conflicts;
            }
            held = snapshot.held(0, 1_000)?.len();
            Ok(())
        });
        if looked.is_err() {
            return;
        }
        let cases: usize = stages.values().sum();
        let shown = STAGES.map(|(sign, of)| {
            let count: usize = of.iter().filter_map(|stage| stages.get(*stage)).sum();
            format!("{sign}{count}")
        });
        let (entries, offline) = city.log.count();
        let percent = (offline * 100).checked_div(entries).unwrap_or(0);
        let counters = &city.counters;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let settled = load(&counters.released) + load(&counters.dismissed);
        self.line(&format!(
            "D{} {} │ 案件 {cases} = {} │ 记录 {entries} 离线 {percent}% │ sync {} cut {} │ conflict {conflicts} review {held}+{settled}",
            city.day() + 1,
            time_of_day(city),
            shown.join(" "),
            load(&counters.syncs),
            city.proxy.counts().cuts(),
        ));
    }
}

/// Hours and minutes in the city.
fn time_of_day(city: &City) -> String {
    rfc3339(city.clock.now()).chars().skip(11).take(5).collect()
}
