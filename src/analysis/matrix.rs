//! The cells of one contrast of handshakes: the failing combination, and each with one thing changed.
//!
//! Read the same way for a target's endpoints and for a resolver's: {its name, an innocuous one of the same length} x {its
//! address, controls' addresses}, its name in two writes, and its name in a ClientHello of another shape.

use crate::analysis::evidence::{is_amid, is_interrupted};
use crate::model::check::{Ask, Climb, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation, Step, TlsFacts};
use crate::model::technique::Interference;

/// Trials that must all have failed, and contrasts that must all have worked, for a confirmed finding.
pub const TRIALS: usize = 3;

/// How a handshake ended otherwise than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Nothing more came.
    Silence,
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// A fatal alert of that number.
    Alert(u8),
    /// Somebody else's certificate, or clear text.
    Impostor,
}

impl Manner {
    /// `None` if the handshake was not reached, worked, or ended in a way no censor is known for.
    pub fn of(observation: &Observation) -> Option<Self> {
        let step = handshake(observation)?;
        let failure = step.failure.as_ref()?;
        let tls = step.tls.as_deref();
        if let Some(alert) = tls.and_then(|tls| tls.alert) {
            return Some(Self::Alert(alert));
        }
        match failure {
            Failure::GenericTimeout | Failure::TimedOut => Some(Self::Silence),
            Failure::ConnectionReset => Some(Self::Reset),
            Failure::Eof => Some(Self::Close),
            Failure::SslUnknownAuthority | Failure::SslInvalidHostname => Some(Self::Impostor),
            _ => tls
                .is_some_and(|tls| tls.clear_text.is_some())
                .then_some(Self::Impostor),
        }
    }

    /// What a censor that does this does.
    pub const fn interference(self) -> Interference {
        match self {
            Self::Silence => Interference::Drop,
            Self::Reset => Interference::Reset,
            Self::Close => Interference::Close,
            Self::Alert(_) => Interference::Alert,
            Self::Impostor => Interference::Intercept,
        }
    }

    /// Whether a repetition that met this met the same: a box that has reset a connection may remember and swallow the next.
    fn is_met_again_as(self, first: Self) -> bool {
        self == first || (first == Self::Reset && self == Self::Silence)
    }

    /// Whether a real server is known to do this to its own name: then only what happens elsewhere tells.
    pub const fn may_be_genuine(self) -> bool {
        matches!(self, Self::Alert(_) | Self::Impostor)
    }
}

/// One control address: what it does with the name, beside an innocuous one.
#[derive(Debug)]
pub struct Column {
    /// The name met there what it met at home.
    pub is_hit: bool,
    /// The two observations.
    pub evidence: [String; 2],
}

/// How many of a row passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Those that got what the failing combination did not get.
    pub passed: usize,
    /// All.
    pub of: usize,
}

impl Passed {
    /// All passed, and there were some.
    pub const fn all(self) -> bool {
        self.of > 0 && self.passed == self.of
    }

    /// None passed, although there were some.
    pub const fn none(self) -> bool {
        self.of > 0 && self.passed == 0
    }
}

/// The cells around one failed handshake.
#[derive(Debug)]
pub struct Matrix<'a> {
    /// The check that failed.
    pub failed: &'a Observation,
    /// How, in every trial.
    pub manner: Manner,
    /// The failing combination: the check itself and its repetitions. Empty where its own address was never reached.
    pub trials: Vec<&'a Observation>,
    /// Controls at which the innocuous name passed, and this one was tried too.
    pub columns: Vec<Column>,
    contrasts: Vec<&'a Observation>,
}

impl<'a> Matrix<'a> {
    /// Gathers the cells around a failed check from its contrasts; `None` where the trials do not agree.
    pub fn of(
        contrasts: impl Iterator<Item = &'a Observation>,
        failed: &'a Observation,
    ) -> Option<Self> {
        let contrasts: Vec<&Observation> = contrasts
            .filter(|it| !it.is_not_run() && !is_interrupted(it))
            .collect();
        let trials: Vec<&Observation> = std::iter::once(failed)
            .chain(
                contrasts
                    .iter()
                    .copied()
                    .filter(|it| varies(it, Variation::Nothing)),
            )
            .filter(|it| handshake(it).is_some())
            .collect();
        let named: Vec<&Observation> = contrasts
            .iter()
            .copied()
            .filter(|it| varies(it, Variation::Address))
            .collect();
        let manner = match trials.first() {
            Some(first) => Manner::of(first)?,
            // The address itself was never reached: what its name meets elsewhere speaks alone.
            None => named.iter().copied().find_map(Manner::of)?,
        };
        let agrees =
            |trial: &&Observation| Manner::of(trial).is_some_and(|it| it.is_met_again_as(manner));
        if !trials.iter().all(agrees) {
            return None;
        }
        let mut matrix = Self {
            failed,
            manner,
            trials,
            columns: Vec::new(),
            contrasts,
        };
        matrix.columns = named.iter().filter_map(|it| matrix.column(it)).collect();
        Some(matrix)
    }

    /// Controls at which the name met what it met at home.
    pub fn hits(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.is_hit)
    }

    /// Controls at which the name passed.
    pub fn free(&self) -> usize {
        self.columns.iter().filter(|column| !column.is_hit).count()
    }

    /// Contrasts at the failing address itself, or of its own name.
    pub fn row(&self, variation: Variation) -> Passed {
        let row = self.cells(variation);
        Passed {
            passed: row.iter().filter(|it| self.has_passed(it)).count(),
            of: row.len(),
        }
    }

    /// The observations of a row.
    pub fn cells(&self, variation: Variation) -> Vec<&'a Observation> {
        let contrasts = self.contrasts.iter().copied();
        contrasts.filter(|it| varies(it, variation)).collect()
    }

    /// Whether the name is looked at wherever it leads: it meets at every control what it meets at home.
    pub fn is_everywhere(&self) -> bool {
        self.hits().next().is_some() && self.free() == 0
    }

    fn column(&self, named: &Observation) -> Option<Column> {
        let address = address_of(named)?;
        let innocuous = self.contrasts.iter().find(|it| {
            varies(it, Variation::Both)
                && it.check.trial == named.check.trial
                && address_of(it) == Some(address)
        })?;
        if !self.has_passed(innocuous) {
            return None;
        }
        let is_free = self.has_passed(named);
        let is_hit =
            !is_free && Manner::of(named).is_some_and(|it| it.is_met_again_as(self.manner));
        (is_hit && self.is_beside_a_pass(named, Variation::Both) || is_free).then(|| Column {
            is_hit,
            evidence: [named.id.clone(), innocuous.id.clone()],
        })
    }

    /// Whether something of that row passed while this was silent. A line that is cut for a moment swallows datagrams, and what is sent
    /// on connections that stood just before.
    pub fn is_beside_a_pass(&self, silent: &Observation, row: Variation) -> bool {
        let cells = || self.cells(row).into_iter().filter(|it| self.has_passed(it));
        self.manner != Manner::Silence || cells().any(|it| is_amid(it, silent))
    }

    /// What shows the manner. Where the address itself was never reached, any hit elsewhere stands for it.
    fn hit(&self) -> Option<&'a Observation> {
        self.trials.first().copied().or_else(|| {
            let mut named = self.contrasts.iter().copied();
            named.find(|it| varies(it, Variation::Address) && Manner::of(it) == Some(self.manner))
        })
    }

    /// Whether the stranger that answered the failed handshake answered this one.
    pub fn is_same_impostor(&self, observation: &Observation) -> bool {
        let of = |it: &'_ Observation| handshake(it)?.tls.clone();
        let failed = of(self.hit().unwrap_or(self.failed));
        failed
            .zip(of(observation))
            .is_some_and(|(failed, other)| is_same_impostor(&other, &failed))
    }

    /// Whether a contrast got what the failed handshake did not get.
    fn has_passed(&self, observation: &Observation) -> bool {
        let Some(tls) = handshake(observation).and_then(|step| step.tls.as_deref()) else {
            return false;
        };
        let failed = self
            .hit()
            .and_then(handshake)
            .and_then(|step| step.tls.as_deref());
        has_passed(tls, failed, self.manner)
    }
}

/// The handshake step: TLS's own, or QUIC's, which is one too.
pub fn handshake(observation: &Observation) -> Option<&Step> {
    observation
        .step(Operation::TlsHandshake)
        .or_else(|| observation.step(Operation::QuicHandshake))
}

fn varies(observation: &Observation, variation: Variation) -> bool {
    let contrast = observation.check.contrast.as_ref();
    contrast.is_some_and(|it| it.varies == variation)
}

fn address_of(observation: &Observation) -> Option<std::net::SocketAddr> {
    match &observation.check.ask {
        Ask::Climb(Climb { address, .. }) => Some(*address),
        _ => None,
    }
}

/// More than the failed handshake got, beyond what segmentation explains.
const ENOUGH_BYTES: u64 = 64;

fn has_passed(tls: &TlsFacts, failed: Option<&TlsFacts>, manner: Manner) -> bool {
    match manner {
        Manner::Alert(number) => tls.received_bytes > 0 && tls.alert != Some(number),
        Manner::Impostor => {
            !tls.chain.is_empty() && failed.is_some_and(|failed| !is_same_impostor(tls, failed))
        }
        // A server that answers a little and stalls for every name is slow, not censored.
        Manner::Silence | Manner::Reset | Manner::Close => {
            let failed = failed.map_or(0, |failed| failed.received_bytes);
            !tls.chain.is_empty()
                || tls.alert.is_some()
                || tls.received_bytes > failed.saturating_add(ENOUGH_BYTES)
                || (failed == 0 && tls.received_bytes > 0)
        }
    }
}

/// Whether the same stranger answered, by who issued the leaf; in clear text, by its beginning.
fn is_same_impostor(one: &TlsFacts, other: &TlsFacts) -> bool {
    match (one.chain.first(), other.chain.first()) {
        (Some(one), Some(other)) => {
            (one.sha256.is_some() && one.sha256 == other.sha256) || one.issuer == other.issuer
        }
        (None, None) => one.clear_text == other.clear_text,
        _ => false,
    }
}
