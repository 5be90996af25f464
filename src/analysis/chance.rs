//! What chance alone does on a line that loses datagrams: how often a name, a resolver or a relay would seem silent to us.
//!
//! A question over UDP is sent again when it was lost, so the questions that were answered tell how much the line loses; so do
//! the short trains to relays; and for QUIC, whose datagrams are large, the handshakes that succeeded. Of many names asked
//! several times each, some stay silent on a bad line by chance alone; silence is told only where that is rarer than one run in
//! so many. Over TCP the connections that stood tell it: those whose SYN was sent again.

use std::ops::Add;

use crate::model::catalog::{Catalog, Resolver, ResolverRole, Transport};
use crate::model::check::Ask;
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation, QuicFacts, Step};

/// Runs of which one may show such silence by chance: from here on it is told, with its doubt.
const TOLD: f64 = 1e-4;

/// The same for silence that is told without doubt.
const SURE: f64 = 1e-6;

/// Sendings of one question (`Limits::dns_resend` and the first): what the loss is reckoned by.
pub const SENDINGS: usize = 3;

/// How far silence is beyond chance.
#[derive(Clone, Debug, PartialEq)]
pub enum Silence {
    /// On this line it happens by itself.
    Chance,
    /// It hardly does: the doubt that is left.
    Doubtful(String),
    /// It does not.
    Certain,
}

impl Silence {
    /// The doubt that is left.
    pub fn doubt(self) -> Option<String> {
        match self {
            Self::Doubtful(doubt) => Some(doubt),
            Self::Chance | Self::Certain => None,
        }
    }
}

/// Questions to resolvers over UDP that were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    answered: u32,
    /// Those of them that had to be sent again.
    again: u32,
}

impl Questions {
    /// Counts those that the resolvers of that kind answered. A decoy, whom only an injector answers, does not count.
    pub fn of<'a>(
        catalog: &Catalog,
        observations: impl Iterator<Item = &'a Observation>,
        is_counted: impl Fn(&Resolver) -> bool,
    ) -> Self {
        let mut counted = Self::default();
        for observation in observations {
            let Ask::Query { resolver, .. } = &observation.check.ask else {
                continue;
            };
            let mut resolvers = catalog.resolvers.iter();
            let is_asked = |it: &&Resolver| {
                it.id == *resolver
                    && it.transport == Transport::Udp
                    && it.role != ResolverRole::Decoy
            };
            if !resolvers.find(is_asked).is_some_and(&is_counted) {
                continue;
            }
            let step = observation.step(Operation::Resolve);
            let Some(facts) = step.and_then(|step| step.dns.as_deref()) else {
                continue;
            };
            if facts.accepted().is_some() {
                counted.answered += 1;
                counted.again += u32::from(facts.sent > 1);
            }
        }
        counted
    }

    /// Share of sendings that stay unanswered, 0 to 1, told cautiously where little was asked: with nothing counted, 0.6.
    pub fn loss(self) -> f64 {
        loss(self.share(0.5))
    }

    /// The same for a part of the line, where little counts as the whole line's; never less than that.
    pub fn loss_within(self, line: Self) -> f64 {
        loss(self.share(line.share(0.5))).max(line.loss())
    }

    /// Share of the answered questions that were sent again, where two more are thought to have been asked.
    fn share(self, of_the_two: f64) -> f64 {
        (f64::from(self.again) + 2.0 * of_the_two) / f64::from(self.answered + 2)
    }
}

/// Of the questions answered within three sendings, q (1 + q) / (1 + q + q^2) were sent again, if q is lost of each sending.
fn loss(again: f64) -> f64 {
    let odds = again / (1.0 - again);
    (((1.0 + 4.0 * odds).sqrt() - 1.0) / 2.0).min(1.0)
}

/// Datagrams to relays that answer: how many, and how many of them were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trains {
    sent: u32,
    answered: u32,
}

impl Trains {
    /// Counts those of exchanges that were answered.
    pub fn of<'a>(observations: impl Iterator<Item = &'a Observation>) -> Self {
        let mut counted = Self::default();
        for observation in observations {
            let step = observation.step(Operation::Exchange);
            let Some(facts) = step.and_then(|step| step.exchange.as_deref()) else {
                continue;
            };
            let answered = u32::try_from(facts.round_trips.len()).unwrap_or(u32::MAX);
            if let Some(sent) = facts.datagrams.filter(|_| answered > 0) {
                // A saved report may say anything.
                counted.sent = counted.sent.saturating_add(sent);
                counted.answered = counted.answered.saturating_add(answered.min(sent));
            }
        }
        counted
    }

    /// Share of them that stayed unanswered, 0 to 1.
    pub fn loss(self) -> f64 {
        match self.sent {
            0 => 0.0,
            sent => 1.0 - f64::from(self.answered) / f64::from(sent),
        }
    }
}

/// Handshakes of QUIC's version 1 that succeeded. Their datagrams are large, and lines lose large ones that small ones pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    answered: u32,
    /// Those of them of which much was sent again.
    again: u32,
}

/// Datagrams that `Limits::quic` leaves time for, where nothing comes back: one, and then two at a time.
const DATAGRAMS: u32 = 7;

/// More datagrams than this were sent than came back, where one was sent again: the first, and two in its place.
const AGAIN: u32 = 3;

impl Handshakes {
    /// Counts those that came to their end, if with another name's certificate, as innocuous ones do.
    pub fn of<'a>(observations: impl Iterator<Item = &'a Observation>) -> Self {
        let mut counted = Self::default();
        for observation in observations {
            let step = observation.step(Operation::QuicHandshake);
            let step = step.filter(|step| {
                matches!(
                    step.failure,
                    None | Some(Failure::SslInvalidHostname | Failure::SslUnknownAuthority)
                )
            });
            let Some(facts) = step.and_then(|step| step.quic.as_deref()) else {
                continue;
            };
            if facts.version == QuicFacts::V1 && facts.received > 0 && facts.versions.is_empty() {
                let again = facts.sent >= facts.received.saturating_add(AGAIN);
                counted.answered += 1;
                counted.again += u32::from(again);
            }
        }
        counted
    }

    /// Share of sendings that stay unanswered, 0 to 1, told cautiously where there were few; 0 where there were none.
    pub fn loss(self) -> f64 {
        if self.answered == 0 {
            return 0.0;
        }
        let again = (f64::from(self.again) + 1.0) / f64::from(self.answered + 2);
        // Of those that succeed within so many, (1 - q) / (1 - q^n) do so at once, if q is lost of each sending.
        let (mut least, mut most) = (0.0_f64, 1.0);
        for _ in 0..40 {
            let middle = f64::midpoint(least, most);
            let at_once = (1.0 - middle) / (1.0 - middle.powf(f64::from(DATAGRAMS)));
            if at_once > 1.0 - again {
                least = middle;
            } else {
                most = middle;
            }
        }
        most
    }
}

impl Add for Handshakes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            again: self.again + other.again,
        }
    }
}

impl Add for Trains {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            answered: self.answered.saturating_add(other.answered),
        }
    }
}

impl Add for Questions {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            again: self.again + other.again,
        }
    }
}

/// Whether it can be chance that nothing these trials sent over UDP was answered, at this loss, where so many were asked that
/// might have been unlucky.
pub fn judge(loss: f64, trials: &[&Observation], asked: usize) -> Silence {
    let sendings = trials
        .iter()
        .map(|it| sendings(it))
        .fold(0, u32::saturating_add);
    let asked = u32::try_from(asked.max(1)).unwrap_or(u32::MAX);
    let by_chance = loss.powf(f64::from(sendings)) * f64::from(asked);
    if by_chance >= TOLD {
        Silence::Chance
    } else if by_chance >= SURE {
        Silence::Doubtful(format!(
            "This line loses about {:.0} in 100 questions or their answers: one run in {:.0} would show such silence by \
             chance",
            loss * 100.0,
            1.0 / by_chance
        ))
    } else {
        Silence::Certain
    }
}

/// Datagrams that were sent for this and met no answer.
fn sendings(observation: &Observation) -> u32 {
    let sent = |step: &Step| {
        let dns = step.dns.as_deref().map_or(0, |facts| facts.sent);
        let exchange = step.exchange.as_deref();
        let unanswered = |facts: &QuicFacts| match facts.received {
            0 => facts.sent,
            // What stalls says no more than what is silent.
            heard => facts.sent.saturating_sub(heard).min(DATAGRAMS),
        };
        let quic = step.quic.as_deref().map_or(0, unanswered);
        let relayed = exchange.and_then(|facts| facts.datagrams).unwrap_or(0);
        dns.saturating_add(relayed).saturating_add(quic)
    };
    let sent = observation.steps.iter().map(sent);
    sent.fold(0, u32::saturating_add)
}

/// Connections that stood, and those of them whose SYN was sent again.
pub fn attempts<'a>(observations: impl Iterator<Item = &'a Observation>) -> (usize, usize) {
    let mut counted = (0, 0);
    for observation in observations {
        let is_whole = match &observation.check.ask {
            Ask::Climb(climb) => climb.hops.is_none(),
            _ => true,
        };
        let stood = observation
            .step(Operation::TcpConnect)
            .filter(|step| is_whole && step.failure.is_none());
        if let Some(step) = stood {
            let tcp = step.tcp.as_deref();
            counted.0 += 1;
            counted.1 += usize::from(tcp.is_some_and(|tcp| tcp.retransmits.unwrap_or(0) > 0));
        }
    }
    counted
}

/// Whether two in five of these were asked for again, and there are enough of them to say so.
pub fn is_losing(own: (usize, usize), ground: (usize, usize)) -> bool {
    is_again(own, ground, 2)
}

/// Whether one in five of these was: what is asked a few times over one transport may then be unanswered together, where the line is
/// cut for moments.
pub fn is_unsteady(own: (usize, usize), ground: (usize, usize)) -> bool {
    is_again(own, ground, 1)
}

fn is_again(own: (usize, usize), ground: (usize, usize), fifths: usize) -> bool {
    let (stood, again) = (own.0 + ground.0, own.1 + ground.1);
    stood >= 10 && again * 5 >= stood * fifths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_found_by_how_many_answers_came_late() {
        for loss in [0.0_f64, 0.1, 0.28, 0.51, 0.75] {
            let share = loss * (1.0 + loss) / (1.0 + loss + loss * loss);
            let answered = 1_000_000;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let again = (share * f64::from(answered)) as u32;
            let found = Questions { answered, again }.loss();
            assert!((found - loss).abs() < 1e-3, "{found} for {loss}");
        }
    }

    #[test]
    fn the_loss_of_large_datagrams_is_found_by_handshakes_that_had_to_send_again() {
        for loss in [0.1_f64, 0.3, 0.5, 0.8, 0.9] {
            let at_once = (1.0 - loss) / (1.0 - loss.powi(7));
            let answered = 1_000_000;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let again = ((1.0 - at_once) * f64::from(answered)) as u32;
            let found = Handshakes { answered, again }.loss();
            assert!((found - loss).abs() < 1e-3, "{found} for {loss}");
        }
        let of = |answered, again| Handshakes { answered, again }.loss();
        assert!(of(0, 0) < 1e-9, "nothing is known of them");
        assert!(of(1, 1) > 0.6 && of(20, 0) < 0.1);
    }

    #[test]
    fn where_little_was_asked_the_loss_is_thought_to_be_high() {
        let of = |answered| Questions { answered, again: 0 }.loss();
        assert!(of(0) > 0.6);
        assert!(of(3) > of(30) && of(30) > of(300));
    }

    #[test]
    fn a_resolver_that_was_asked_little_is_thought_to_be_as_bad_as_the_line_and_may_be_worse() {
        let questions = |answered, again| Questions { answered, again };
        let line = questions(98, 19);
        let within = |it: Questions| it.loss_within(line) - line.loss();
        assert!(within(questions(0, 0)).abs() < 1e-9);
        assert!(within(questions(20, 0)).abs() < 1e-9);
        assert!(within(questions(20, 15)) > 0.3);
    }
}
