//! What one check costs: a thousand of TLS and HTTP against one server, and the scrubbing of what they tell.

use std::time::{Duration, Instant};

use blockprobe::measure::{Engine, Event};
use blockprobe::model::catalog::{Endpoint, Protocol};
use blockprobe::model::check::{Ask, Check, Role, Round};
use blockprobe::model::observation::Observation;
use blockprobe::output::scrub::Scrubber;
use blockprobe::plan::reach;
use blockprobe::plan::resolve::Subject;
use nix::sys::resource::{UsageWho, getrusage};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::distance::{self, Distant, Silence};
use crate::run::{self, CONCURRENCY, Kept};
use crate::table::{self, Figures};

/// Checks of one round.
const CHECKS: u32 = 1000;
const ROUNDS: usize = 3;

/// Prints the table.
pub fn print() {
    table::title("throughput: what one check costs");
    let lab = distance::open(None, Silence::Nobody);
    let mut seen = Kept::default();
    run::run(&lab, &mut seen);
    let one = one_page(&seen.0);
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round(&lab, &one)).collect();
    let rate = rounds.iter().map(|(wall, _)| f64::from(CHECKS) / wall);
    let cost = rounds.iter().map(|(_, cpu)| cpu * 1e3 / f64::from(CHECKS));
    table::row(
        "TCP, TLS and HTTP checks of one server",
        &Figures::of(rate.collect()),
        "/s",
        "six connections at a time, the lab on the other core",
    );
    table::row(
        "  processor time of one, the lab's not counted",
        &Figures::of(cost.collect()),
        "ms",
        "",
    );
    scrubbing(&seen.0);
}

/// A page of a target that answered, as a check that can be made again.
fn one_page(observations: &[Observation]) -> Endpoint {
    let found = observations.iter().find_map(|observation| {
        let Ask::Climb(climb) = &observation.check.ask else {
            return None;
        };
        let is_page = climb.protocol == Protocol::Https
            && observation.check.role == Role::Target
            && climb.address.is_ipv4()
            && observation.is_success();
        is_page.then(|| Endpoint {
            id: "https://page/".to_owned(),
            host: climb.host.clone(),
            addresses: vec![climb.address.ip()],
            port: climb.address.port(),
            protocol: climb.protocol,
            server_name: climb.server_name.clone(),
            path: climb.path.clone(),
            alpn: climb.alpn.clone(),
            custom: None,
            expect: blockprobe::model::catalog::Expect {
                private_root: climb.private_root.clone(),
                ..Default::default()
            },
        })
    });
    found.expect("the lab serves pages")
}

/// Wall and processor time of one round, in seconds.
fn round(lab: &Distant, page: &Endpoint) -> (f64, f64) {
    let subject = Subject {
        id: "figures",
        role: Role::Target,
        round: Round::Reach,
    };
    let checks: Vec<Check> = (1..=CHECKS)
        .map(|trial| reach::climb(subject, page, page.addresses[0], trial))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        let engine = Engine::new(&lab.catalog, &lab.line, CONCURRENCY, cancel);
        let (sender, mut events) = mpsc::unbounded_channel();
        let (begun, spent) = (Instant::now(), processor_time());
        for (number, check) in checks.into_iter().enumerate() {
            engine.start(format!("o{number}"), check, &sender);
        }
        drop(sender);
        let mut complete = 0;
        while let Some(event) = events.recv().await {
            if let Event::Complete(observation) = event {
                assert!(observation.is_success(), "{observation:?}");
                complete += 1;
            }
        }
        assert_eq!(complete, CHECKS);
        let spent = processor_time().saturating_sub(spent);
        (begun.elapsed().as_secs_f64(), spent.as_secs_f64())
    })
}

/// Of this thread so far.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("the kernel counts");
    let times = [usage.user_time(), usage.system_time()];
    let micros: i64 = times
        .iter()
        .map(|it| it.tv_sec() * 1_000_000 + it.tv_usec())
        .sum();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn scrubbing(observations: &[Observation]) {
    let own = [
        "192.0.2.7/24",
        "10.20.30.40/16",
        "2001:db8:1:2::7/64",
        "fe80::1/64",
    ];
    let own: Vec<_> = own
        .iter()
        .map(|it| it.parse().expect("a network"))
        .collect();
    let scrubber = Scrubber::new(&own);
    let count = f64::from(u32::try_from(observations.len()).unwrap_or(u32::MAX));
    let timed = |work: &dyn Fn(&Observation) -> usize| {
        let times = (0..5).map(|_| {
            let begun = Instant::now();
            let length: usize = observations.iter().map(work).sum();
            assert!(length > 0);
            begun.elapsed().as_secs_f64() * 1e6 / count
        });
        Figures::of(times.collect())
    };
    let written = timed(&|it| serde_json::to_vec(it).map_or(0, |bytes| bytes.len()));
    let cleaned = timed(&|it| scrubber.clean(it).map_or(0, |clean| clean.steps.len() + 1));
    table::row("writing one observation as JSON", &written, "us", "");
    table::row("scrubbing one observation", &cleaned, "us", "");
    let ratio = cleaned.median / written.median;
    table::note(&format!(
        "scrubbing takes {ratio:.1} times as long as writing"
    ));
}
