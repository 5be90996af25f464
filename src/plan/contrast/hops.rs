//! Connections with fewer hops to live, to addresses that fail and to controls: how far the packets of each come. They are
//! ordinary SYNs that end early, and reach nobody whom the whole connection would not pass.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use crate::model::check::{Ask, Check, Variation};
use crate::model::line::{NEIGHBOURHOOD, RACK, is_of_the_web, network};
use crate::model::observation::{Observation, Operation};
use crate::plan::Seen;
use crate::plan::contrast::address::{Failed, is_repeated, is_silent, standing_port};
use crate::plan::contrast::{changed, connection};
use crate::plan::resolve::Subject;

/// Failing addresses of one target whose roads are looked at.
const ADDRESSES: usize = 3;
/// Controls whose roads are looked at from the front of the list, where those abroad are; the last one, which is the
/// nearest of all where there are domestic ones, comes to them.
const CONTROLS: usize = 2;
/// Hop counts that are tried in any case: what interferes sits at the provider's.
const NEAR: RangeInclusive<u8> = 1..=6;
/// The others, where nothing stood or was refused nearer. Few roads are longer.
const FAR: RangeInclusive<u8> = 7..=16;

/// What was seen of a road, by hop count.
type Traces<'a> = BTreeMap<SocketAddr, BTreeMap<u8, &'a Observation>>;

/// The steps of all roads that are called for, nearest first, and the target's before the controls': where a router
/// rations what it tells, it is the controls that go without, and nothing is concluded.
pub fn checks(
    controls: &[SocketAddr],
    subject: Subject,
    failures: &[Failed],
    seen: &Seen,
) -> Vec<Check> {
    let traces = traces(seen);
    let chosen = chosen(controls, failures, seen, &traces);
    let Some((first, failed)) = chosen.first() else {
        return Vec::new();
    };
    let mut roads: Vec<(SocketAddr, &Observation)> = Vec::new();
    for (climb, failed) in &chosen {
        roads.push((climb.address, failed));
        if let Some(port) = standing_port(climb.address.ip(), seen) {
            roads.push((SocketAddr::new(climb.address.ip(), port), failed));
        }
    }
    let family: Vec<SocketAddr> = controls
        .iter()
        .copied()
        .filter(|control| control.is_ipv4() == first.address.is_ipv4())
        .collect();
    let last = family.last().filter(|_| family.len() > CONTROLS);
    let controls = family.iter().take(CONTROLS).chain(last);
    roads.extend(controls.map(|control| (*control, *failed)));
    let strangers = strangers(&family, &chosen, seen);
    roads.extend(&strangers);
    // What does not end is followed only as far as others have to be.
    let mut endless: BTreeSet<SocketAddr> = chosen.iter().map(|(climb, _)| climb.address).collect();
    endless.extend(strangers.iter().map(|(address, _)| *address));
    let mut others = roads.iter().filter(|(it, _)| !endless.contains(it));
    let is_far = others.any(|(address, _)| goes_on(traces.get(address)));
    let mut checks = Vec::new();
    for hops in NEAR.chain(FAR) {
        for (address, failed) in &roads {
            if NEAR.contains(&hops) || (is_far && goes_on(traces.get(address))) {
                let step = connection(*address, Some(hops));
                let trial = u32::from(hops);
                checks.push(changed(subject, failed, Variation::Hops, trial, step));
            }
        }
    }
    checks
}

/// The ports that fail beside one that stands, at controls' addresses. They are not served there, but how far their packets
/// come tells a firewall that shuts them for everybody from whoever shuts them for this target alone.
fn strangers<'a>(
    controls: &[SocketAddr],
    chosen: &[Failed<'a>],
    seen: &Seen,
) -> Vec<(SocketAddr, &'a Observation)> {
    let mut ports = BTreeSet::new();
    let mut strangers = Vec::new();
    for (climb, failed) in chosen {
        let port = climb.address.port();
        let stands_elsewhere = standing_port(climb.address.ip(), seen).is_some();
        if !is_of_the_web(port) && stands_elsewhere && ports.insert(port) {
            let controls = controls.iter().take(CONTROLS);
            strangers.extend(controls.map(|it| (SocketAddr::new(it.ip(), port), *failed)));
        }
    }
    strangers
}

/// The failing addresses whose roads are looked at: in different networks as far as there are, for neighbours share
/// their fate.
fn chosen<'a>(
    controls: &[SocketAddr],
    failures: &[Failed<'a>],
    seen: &Seen,
    traces: &Traces,
) -> Vec<Failed<'a>> {
    let ready: Vec<Failed> = failures
        .iter()
        .copied()
        .filter(|(climb, failed)| {
            let is_ipv4 = climb.address.is_ipv4();
            let has_controls = controls.iter().any(|control| control.is_ipv4() == is_ipv4);
            has_controls && (is_silent(failed) || is_repeated(failed, seen))
        })
        .collect();
    let mut racks = BTreeSet::new();
    let (apart, beside): (Vec<Failed>, Vec<Failed>) = ready
        .into_iter()
        .partition(|(climb, _)| racks.insert(network(climb.address.ip(), RACK)));
    // The last place is kept for another neighbourhood: one machine room has many networks.
    let mut chosen: Vec<Failed> = apart.iter().copied().take(ADDRESSES - 1).collect();
    let place = |it: &Failed| network(it.0.address.ip(), NEIGHBOURHOOD);
    let places: BTreeSet<_> = chosen.iter().map(place).collect();
    let left = || apart.iter().copied().skip(ADDRESSES - 1);
    chosen.extend(left().find(|it| places.len() > 1 || !places.contains(&place(it))));
    // Others may only be about to fail.
    let is_settled = chosen
        .first()
        .is_some_and(|(climb, _)| is_near_done(traces.get(&climb.address)));
    if is_settled {
        let missing = ADDRESSES.saturating_sub(chosen.len());
        chosen.extend(left().chain(beside).take(missing));
    }
    chosen
}

fn traces(seen: &Seen) -> Traces<'_> {
    let mut traces = Traces::new();
    for observation in seen.observations() {
        if let Ask::Climb(climb) = &observation.check.ask
            && let Some(hops) = climb.hops
            && seen.is_complete(&observation.check.id)
        {
            let trace = traces.entry(climb.address).or_default();
            trace.insert(hops, observation);
        }
    }
    traces
}

fn is_near_done(trace: Option<&BTreeMap<u8, &Observation>>) -> bool {
    trace.is_some_and(|trace| NEAR.into_iter().all(|hops| trace.contains_key(&hops)))
}

/// Whether a road leads on: its near part is known, and has no end.
fn goes_on(trace: Option<&BTreeMap<u8, &Observation>>) -> bool {
    is_near_done(trace)
        && trace.is_some_and(|trace| {
            let mut near = NEAR.filter_map(|hops| trace.get(&hops));
            near.all(|observation| !is_end(observation))
        })
}

/// Whether the road ends here: something else came than silence or the word of a router that the hops are used up.
fn is_end(observation: &Observation) -> bool {
    let Ask::Climb(climb) = &observation.check.ask else {
        return false;
    };
    let tcp = observation
        .step(Operation::TcpConnect)
        .and_then(|step| step.tcp.as_deref());
    let is_ipv4 = climb.address.is_ipv4();
    let is_expired = tcp.is_some_and(|tcp| tcp.icmp.iter().any(|it| it.is_time_exceeded(is_ipv4)));
    !is_silent(observation) && !is_expired
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::model::check::{Contrast, Role, Round};
    use crate::model::failure::Failure;
    use crate::model::observation::Step;
    use crate::plan::contrast::address;

    const SUBJECT: Subject = Subject {
        id: "target",
        role: Role::Target,
        round: Round::Contrast,
    };

    /// What is called for when these connections are all that was seen.
    struct Plan(Seen);

    impl Plan {
        fn saw(&mut self, check: &Check, failure: Option<Failure>, t: f64) {
            let step = Step {
                operation: Operation::TcpConnect,
                t0: 0.0,
                t,
                failure,
                dns: None,
                tcp: None,
                tls: None,
                quic: None,
                http: None,
                exchange: None,
            };
            let observation = Observation {
                id: "o1".to_owned(),
                check: check.clone(),
                steps: vec![step],
                not_run: None,
            };
            self.0.note(observation, true);
        }

        fn reached(&mut self, addresses: &[&str], failure: Option<&Failure>) {
            self.reached_at(443, addresses, failure);
        }

        fn reached_at(&mut self, port: u16, addresses: &[&str], failure: Option<&Failure>) {
            for (number, address) in (0_u32..).zip(addresses) {
                let address = SocketAddr::new(address.parse().unwrap(), port);
                let check = Check {
                    id: format!("target/tcp/-@{address}#1"),
                    round: Round::Reach,
                    subject: "target".to_owned(),
                    endpoints: vec!["endpoint".to_owned()],
                    role: Role::Target,
                    trial: 1,
                    contrast: None,
                    ask: Ask::Climb(connection(address, None)),
                };
                self.saw(&check, failure.cloned(), f64::from(number));
            }
        }

        fn checks(&self) -> Vec<Check> {
            let controls: Vec<SocketAddr> = (5..9)
                .map(|last| SocketAddr::from(([198, 41, 0, last], 443)))
                .collect();
            address::checks(&controls, SUBJECT, std::iter::empty(), &self.0)
        }

        /// The hop counts that are called for, by address.
        fn roads(&self) -> BTreeMap<IpAddr, Vec<u8>> {
            let mut roads: BTreeMap<IpAddr, Vec<u8>> = BTreeMap::new();
            for check in self.checks() {
                let Ask::Climb(climb) = &check.ask else {
                    unreachable!("nothing else is called for")
                };
                if let Some(hops) = climb.hops {
                    roads.entry(climb.address.ip()).or_default().push(hops);
                }
            }
            roads
        }

        fn trials(&self, address: &str) -> Vec<u32> {
            let checks = self.checks();
            let is_again = |it: &&Check| {
                it.id.contains(address)
                    && matches!(&it.contrast, Some(Contrast { varies, .. }) if *varies == Variation::Nothing)
            };
            checks.iter().filter(is_again).map(|it| it.trial).collect()
        }

        /// Everything called for so far ends so.
        fn all(&mut self, failure: &Failure, is_such: impl Fn(&Check) -> bool) {
            for check in self.checks().iter().filter(|check| is_such(check)) {
                self.saw(check, Some(failure.clone()), 9.0);
            }
        }
    }

    fn is_of(check: &Check, varies: Variation) -> bool {
        check
            .contrast
            .as_ref()
            .is_some_and(|it| it.varies == varies)
    }

    #[test]
    fn on_an_open_line_no_road_is_looked_at() {
        let mut plan = Plan(Seen::default());
        plan.reached(&["93.184.1.1", "93.184.2.1"], None);
        assert!(plan.checks().is_empty());
    }

    #[test]
    fn silence_is_repeated_and_its_roads_looked_at_together() {
        let mut plan = Plan(Seen::default());
        plan.reached(&["93.184.1.1"], Some(&Failure::GenericTimeout));
        assert_eq!(plan.trials("93.184.1.1"), [2, 3]);
        let roads = plan.roads();
        assert_eq!(roads.len(), 4, "one address, two controls and the last");
        assert!(roads.values().all(|hops| hops.iter().copied().eq(NEAR)));
    }

    #[test]
    fn beside_silence_stands_the_nearest_neighbour_that_stood_first() {
        let silent = "93.184.1.1";
        for (failure, stood, port, asked) in [
            (
                Failure::GenericTimeout,
                &["93.184.1.9", "93.184.1.2"][..],
                443,
                Some("93.184.1.9:443"),
            ),
            // Its own rack comes first, and then the neighbourhood.
            (
                Failure::GenericTimeout,
                &["93.184.2.9", "93.184.1.2"][..],
                443,
                Some("93.184.1.2:443"),
            ),
            (
                Failure::GenericTimeout,
                &["93.184.2.9"][..],
                443,
                Some("93.184.2.9:443"),
            ),
            // In another neighbourhood, on another port, at the very address.
            (Failure::GenericTimeout, &["93.185.1.9"][..], 443, None),
            (Failure::GenericTimeout, &["93.184.1.9"][..], 80, None),
            (Failure::GenericTimeout, &[silent][..], 443, None),
            // Nothing that limits rates says so.
            (Failure::ConnectionRefused, &["93.184.1.9"][..], 443, None),
        ] {
            let mut plan = Plan(Seen::default());
            plan.reached_at(port, stood, None);
            plan.reached(&[silent], Some(&failure));
            let checks = plan.checks();
            let beside = checks.iter().filter(|it| is_of(it, Variation::Neighbour));
            let told = beside.map(|check| match &check.ask {
                Ask::Climb(climb) => (check.trial, climb.address.to_string()),
                _ => unreachable!("it is a connection"),
            });
            let told: Vec<(u32, String)> = told.collect();
            let asked = asked.map(|place| [2, 3].map(|trial| (trial, place.to_owned())));
            assert_eq!(told, asked.into_iter().flatten().collect::<Vec<_>>());
        }
    }

    #[test]
    fn refusals_are_repeated_one_after_the_other_and_then_their_roads_looked_at() {
        let mut plan = Plan(Seen::default());
        plan.reached(&["93.184.1.1"], Some(&Failure::ConnectionRefused));
        for due in [vec![2], vec![2, 3]] {
            assert_eq!(plan.trials("93.184.1.1"), due);
            assert!(plan.roads().is_empty());
            plan.all(&Failure::ConnectionRefused, |it| {
                is_of(it, Variation::Nothing)
            });
        }
        assert_eq!(plan.roads().len(), 4);
    }

    #[test]
    fn what_does_not_end_is_followed_as_far_as_controls_have_to_be() {
        let target: IpAddr = "93.184.1.1".parse().unwrap();
        let mut near = Plan(Seen::default());
        near.reached(&["93.184.1.1"], Some(&Failure::GenericTimeout));
        for check in near.checks() {
            let is_target = matches!(&check.ask, Ask::Climb(climb) if climb.address.ip() == target);
            if is_of(&check, Variation::Hops) {
                near.saw(&check, is_target.then_some(Failure::GenericTimeout), 9.0);
            }
        }
        assert_eq!(near.roads()[&target].last(), Some(NEAR.end()));
        let mut far = Plan(Seen::default());
        far.reached(&["93.184.1.1"], Some(&Failure::GenericTimeout));
        far.all(&Failure::GenericTimeout, |it| is_of(it, Variation::Hops));
        assert_eq!(far.roads()[&target].last(), Some(FAR.end()));
    }

    #[test]
    fn three_networks_are_looked_at_and_another_neighbourhood_among_them() {
        let mut plan = Plan(Seen::default());
        let range = [
            "93.184.1.1",
            "93.184.1.2",
            "93.184.2.1",
            "93.184.3.1",
            "151.101.1.1",
        ];
        plan.reached(&range, Some(&Failure::GenericTimeout));
        let roads = plan.roads();
        let chosen = range.map(|it| roads.contains_key(&it.parse().unwrap()));
        assert_eq!(chosen, [true, false, true, false, true]);
    }

    #[test]
    fn a_port_that_fails_beside_one_that_stands_is_looked_at_where_controls_are() {
        let strangers = |port: u16, stands: bool| {
            let mut plan = Plan(Seen::default());
            plan.reached_at(port, &["93.184.1.1"], Some(&Failure::GenericTimeout));
            if stands {
                plan.reached_at(80, &["93.184.1.1"], None);
            }
            let checks = plan.checks();
            let asked = checks.iter().filter_map(|check| match &check.ask {
                Ask::Climb(climb) if climb.hops == Some(1) => Some(climb.address),
                _ => None,
            });
            let asked: Vec<SocketAddr> = asked.collect();
            let is_control = |it: &&SocketAddr| it.to_string().starts_with("198.41.0.");
            let at_controls = asked.iter().filter(is_control);
            at_controls.filter(|it| it.port() == port).count()
        };
        assert_eq!(strangers(599, true), CONTROLS);
        assert_eq!(strangers(599, false), 0, "the whole address may be dead");
        assert_eq!(strangers(443, true), 3, "the controls' own port");
    }

    #[test]
    fn neighbours_are_looked_at_where_there_are_no_others() {
        let mut plan = Plan(Seen::default());
        let range = ["93.184.1.1", "93.184.1.2", "93.184.1.3", "93.184.1.4"];
        plan.reached(&range, Some(&Failure::GenericTimeout));
        let count = |plan: &Plan| range.map(|it| plan.roads().contains_key(&it.parse().unwrap()));
        assert_eq!(count(&plan), [true, false, false, false]);
        plan.all(&Failure::GenericTimeout, |it| is_of(it, Variation::Hops));
        assert_eq!(count(&plan), [true, true, true, false]);
    }
}
