//! Phones behind the bad network: what it does to rounds is only delay, and a login page in place of an answer is no answer.

use std::net::SocketAddr;
use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::error::Error;
use patrol_core::replica::{Cancel, Deed, Replica};
use patrol_core::store::Store;
use patrol_core::sync::http::Http;
use patrol_server::host::SystemEnvironment;
use patrol_tests::clock::{Clock, Machine};
use patrol_tests::proxy::{FAIR, Proxy, RURAL, Weather};
use patrol_tests::served::Served;
use patrol_tests::world::{World, city, matter};

const INSPECTOR: &str = "巡查员01";

struct Behind {
    world: World,
    served: Served,
    proxy: Proxy,
    http: Http,
    phone: Replica,
}

impl Behind {
    async fn prepare(seed: u64) -> Self {
        let served = Served::start(city(), Arc::new(SystemEnvironment))
            .await
            .unwrap();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let proxy = Proxy::start(anywhere, served.address, seed, FAIR)
            .await
            .unwrap();
        let machine = Arc::new(Machine::new(&Clock::default(), seed));
        Self {
            world: World::new(seed),
            served,
            proxy,
            http: Http::new().unwrap(),
            phone: Replica::on(Store::in_memory().unwrap(), machine),
        }
    }

    async fn enrol(&self) -> Result<(), Error> {
        let code = self.served.enrol_code(self.world.person(INSPECTOR));
        self.phone.enrol(&self.http, &self.proxy.url(), &code).await
    }
}

#[tokio::test]
async fn a_login_page_at_enrolment_counts_as_no_line() {
    let behind = Behind::prepare(1).await;
    behind.proxy.set_weather(Weather {
        portal: 1_000,
        ..FAIR
    });
    let answer = behind.enrol().await;
    assert!(matches!(answer, Err(Error::Offline { .. })), "{answer:?}");
    behind.proxy.set_weather(FAIR);
    behind.enrol().await.unwrap();
}

#[tokio::test]
async fn every_request_of_a_kept_connection_can_be_hit_and_all_work_arrives() {
    let seed = 20_261_123;
    let behind = Behind::prepare(seed).await;
    behind.enrol().await.unwrap();
    behind.proxy.set_weather(RURAL);
    let village = behind.world.villages(INSPECTOR)[0];
    let mut broken = 0;
    for number in 0..40 {
        let deed = Deed {
            fields: matter(village, &format!("第{number}处垃圾")),
            ..Deed::new(Action::Report, Body::default())
        };
        behind.phone.begin(&deed).unwrap();
        let synced = behind
            .phone
            .sync(&behind.http, &Cancel::default(), &|_| ())
            .await;
        match synced {
            Ok(_) => {}
            Err(Error::Offline { .. }) => broken += 1,
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    behind.proxy.set_weather(FAIR);
    behind
        .phone
        .sync(&behind.http, &Cancel::default(), &|_| ())
        .await
        .unwrap();
    let counts = behind.proxy.counts();
    assert!(broken > 0 && counts.cuts() > 0, "seed {seed}: {counts:?}");
    assert!(counts.exchanges > counts.connections, "{counts:?}");
    let mut documents = 0;
    let count = &mut |snapshot: &dyn patrol_server::store::Snapshot| {
        documents = snapshot.all_documents()?.len();
        Ok(())
    };
    behind.served.app.store.read(count).unwrap();
    assert_eq!((documents, behind.phone.status().unwrap().outbox), (40, 0));
}
