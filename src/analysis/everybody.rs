//! What controls meet too. A road that is down, a box that resets at random or a firewall hits whoever comes by, and what a target
//! meets there is then nobody's doing: how many of the controls met it is counted by the step at which they failed.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::analysis::connections;
use crate::analysis::evidence::is_interrupted;
use crate::analysis::innocuous::Innocuous;
use crate::analysis::matrix;
use crate::model::catalog::{Catalog, Control};
use crate::model::check::Ask;
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::technique::Interference;

/// Controls that have to meet it: one may be down, or filtered itself.
const CONTROLS: usize = 2;
/// The part of those asked that have to: a quarter. Of a few addresses as many are hit by chance then.
const PART: usize = 4;

/// How many of the controls met something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that did.
    pub met: usize,
    /// Those that were asked.
    pub of: usize,
}

impl Share {
    /// Counts those that did.
    pub fn of(met: impl Iterator<Item = bool>) -> Self {
        met.fold(Self::default(), |share, met| Self {
            met: share.met + usize::from(met),
            of: share.of + 1,
        })
    }

    /// Whether it is what everybody may meet here.
    pub const fn is_everybodys(self) -> bool {
        self.met >= CONTROLS && self.met * PART >= self.of
    }

    /// How likely it is that so many among a target's own meet it, or more, if it is chance who does of them and of these together:
    /// the one-sided exact test of Fisher.
    #[expect(clippy::cast_precision_loss, reason = "addresses are few")]
    pub fn chance_of(self, own: Self) -> f64 {
        let (all, met) = (self.of + own.of, self.met + own.met);
        let ways = ln_choose(own.of, own.met) + ln_choose(self.of, self.met);
        let mut chance = (ways - ln_choose(all, met)).exp();
        let mut sum = 0.0;
        for at in own.met..=own.of.min(met) {
            sum += chance;
            // One more among its own, one less among these.
            let (more, less) = ((own.of - at) * (met - at), self.of + at + 1 - met);
            chance *= more as f64 / ((at + 1) * less.max(1)) as f64;
        }
        sum
    }
}

/// Logarithm of the number of ways to choose so many of these.
#[expect(clippy::cast_precision_loss, reason = "addresses are few")]
fn ln_choose(of: usize, chosen: usize) -> f64 {
    (1..=chosen)
        .map(|at| ((of - chosen + at) as f64 / at as f64).ln())
        .sum()
}

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// It passed, or failed in a way that nobody is blamed for.
    Nothing,
    /// What a censor does, too.
    This(Interference),
}

impl From<Option<Interference>> for Met {
    fn from(met: Option<Interference>) -> Self {
        met.map_or(Self::Nothing, Self::This)
    }
}

/// What controls over TCP met, each by the step at which it failed.
#[derive(Clone, Debug, Default)]
pub struct Everybody {
    /// Of connections, by port.
    connections: BTreeMap<u16, Vec<Met>>,
    /// Of the roads to each of their addresses.
    roads: Vec<(SocketAddr, Met)>,
    handshakes: Vec<Met>,
    /// Of requests in clear.
    requests: Vec<Met>,
    /// Handshakes at controls beside those of resolvers.
    pub innocuous: Innocuous,
}

impl Everybody {
    /// Counts what the ground's observations show of the controls.
    pub fn of(catalog: &Catalog, observations: &[Observation]) -> Self {
        let mut met = Self {
            innocuous: Innocuous::of(observations),
            ..Self::default()
        };
        let controls = catalog.controls.iter();
        for control in controls.filter(|it| !it.endpoint.protocol.is_udp()) {
            let own: Vec<&Observation> = of_control(control, observations).collect();
            let connections = own.iter().filter_map(|it| connection(it));
            if let Some(of_all) = alike(connections) {
                let port = met.connections.entry(control.endpoint.port).or_default();
                port.push(of_all);
            }
            met.roads.extend(roads(&own));
            let handshakes = own.iter().filter_map(|it| handshake(it));
            met.handshakes.extend(alike(handshakes));
            let requests = own.iter().filter_map(|it| request(it));
            met.requests.extend(alike(requests));
        }
        met
    }

    /// Connections that never stood, on that port or on any.
    pub fn connections(&self, how: Interference, port: Option<u16>) -> Share {
        let ports = self.connections.iter();
        let asked = ports.filter(|(it, _)| port.is_none_or(|port| port == **it));
        share(asked.flat_map(|(_, met)| met), how)
    }

    /// The same by address, of those that are asked for.
    pub fn roads(&self, how: Interference, is_asked: impl Fn(SocketAddr) -> bool) -> Share {
        let roads = self.roads.iter().filter(|(to, _)| is_asked(*to));
        share(roads.map(|(_, met)| met), how)
    }

    /// TLS handshakes. Some controls' names may be filtered themselves.
    pub fn handshakes(&self, how: Interference) -> Share {
        share(&self.handshakes, how)
    }

    /// Requests in clear.
    pub fn requests(&self, how: Interference) -> Share {
        share(&self.requests, how)
    }

    /// Whether everybody may meet it, in connecting or in shaking hands.
    pub fn meets(&self, how: Interference) -> bool {
        self.connections(how, None).is_everybodys() || self.handshakes(how).is_everybodys()
    }
}

fn share<'a>(met: impl IntoIterator<Item = &'a Met>, how: Interference) -> Share {
    let mut share = Share::default();
    for it in met {
        share.of += 1;
        share.met += usize::from(*it == Met::This(how));
    }
    share
}

fn of_control<'a>(
    control: &'a Control,
    observations: &'a [Observation],
) -> impl Iterator<Item = &'a Observation> {
    let id = &control.endpoint.id;
    let own = observations
        .iter()
        .filter(move |it| it.check.endpoints.contains(id));
    own.filter(|it| !it.is_not_run() && !is_interrupted(it))
}

/// What all of these met, if they met the same; `None` where there are none.
fn alike(mut met: impl Iterator<Item = Met>) -> Option<Met> {
    let first = met.next()?;
    let are_alike = met.all(|it| it == first);
    Some(if are_alike { first } else { Met::Nothing })
}

fn connection(observation: &Observation) -> Option<Met> {
    let Ask::Climb(climb) = &observation.check.ask else {
        return None;
    };
    observation.step(Operation::TcpConnect)?;
    let manner = connections::Manner::of(climb, observation);
    Some(manner.map(connections::Manner::interference).into())
}

/// What connections to each address met, if they met the same.
fn roads(observations: &[&Observation]) -> Vec<(SocketAddr, Met)> {
    let mut roads: BTreeMap<SocketAddr, Vec<Met>> = BTreeMap::new();
    for observation in observations {
        if let (Ask::Climb(climb), Some(met)) = (&observation.check.ask, connection(observation)) {
            roads.entry(climb.address).or_default().push(met);
        }
    }
    let alike = roads
        .into_iter()
        .filter_map(|(to, met)| Some((to, alike(met.into_iter())?)));
    alike.collect()
}

fn handshake(observation: &Observation) -> Option<Met> {
    observation.step(Operation::TlsHandshake)?;
    let manner = matrix::Manner::of(observation);
    Some(manner.map(matrix::Manner::interference).into())
}

fn request(observation: &Observation) -> Option<Met> {
    let is_in_clear = observation.step(Operation::TlsHandshake).is_none();
    let step = observation
        .step(Operation::HttpRoundTrip)
        .filter(|_| is_in_clear)?;
    let how = match step.failure {
        Some(Failure::GenericTimeout | Failure::TimedOut) => Some(Interference::Drop),
        Some(Failure::ConnectionReset) => Some(Interference::Reset),
        Some(Failure::Eof) => Some(Interference::Close),
        _ => None,
    };
    Some(how.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_test_counts_the_ways() {
        // By whole numbers: 13 of C(17, 5) ways, and so on.
        let share = |met, of| Share { met, of };
        for (own, controls, chance) in [
            (share(4, 4), share(1, 13), 13.0 / 6188.0),
            (share(12, 18), share(1, 13), 0.001_211_62),
            (share(4, 12), share(0, 13), 495.0 / 12650.0),
            (share(0, 5), share(3, 13), 1.0),
            (share(2, 2), share(0, 0), 1.0),
        ] {
            let told = controls.chance_of(own);
            assert!((told - chance).abs() < 1e-7, "{own:?} {controls:?} {told}");
        }
    }
}
