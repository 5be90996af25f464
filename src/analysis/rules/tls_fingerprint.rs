//! Handshakes fail because of the shape of the ClientHello, whatever name is in it: `tls_fingerprint/{drop,reset,close,alert}`.
//!
//! What it infers: the shape of the ClientHello (its size, its lists, its order) is looked at, towards the target's addresses.
//! Evidence: our plain ClientHello failed in the same way in every trial, with the target's name and with an innocuous one of
//! the same length; the same name in a ClientHello of another shape (a post-quantum key share, as browsers send it) passed in
//! every trial, at the same address; controls answer the plain one.
//! What else could explain it: a server that takes only certain clients (its own protection against robots answers, as a
//! rule, with an HTTP 403 and not with silence), hence never more than `likely`; a censor of the name
//! that cannot read the large ClientHello (then the name fails at the controls too, and `server_name` says so: no finding);
//! loss (equal trials); a box that does it to everybody now and then (innocuous names meet it at controls, or other names of the
//! target's pass when they are tried again: no finding).
//! References: facts 2.3 `tls.fingerprint`, `tls.long_ch`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::analysis::evidence::{Evidence, endpoints};
use crate::analysis::innocuous::Chance;
use crate::analysis::matrix::{Manner, Matrix, TRIALS};
use crate::analysis::rules::Finding;
use crate::analysis::rules::server_name::{Strays, matrix_of};
use crate::model::check::Variation;
use crate::model::report::Confidence;
use crate::model::technique::{Technique, Trigger};

/// One finding for each way in which the plain ClientHello failed.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let strays = Strays::of(evidence);
    let mut told: Vec<(Manner, Told)> = Vec::new();
    for (climb, observation) in evidence.all_climbs() {
        if observation.check.contrast.is_some() {
            continue;
        }
        let Some(matrix) = matrix_of(evidence, observation) else {
            continue;
        };
        let chance = strays.of_shapes(evidence, matrix.manner);
        if !is_by_shape(&matrix) || chance == Chance::Enough {
            continue;
        }
        if !told.iter().any(|(manner, _)| *manner == matrix.manner) {
            told.push((matrix.manner, Told::default()));
        }
        for (manner, told) in &mut told {
            if *manner == matrix.manner {
                told.add(climb.address.ip(), climb.server_name.as_deref(), &matrix);
            }
        }
    }
    told.into_iter()
        .map(|(manner, told)| told.finding(evidence, manner))
        .collect()
}

/// The name changes nothing, the shape everything.
fn is_by_shape(matrix: &Matrix) -> bool {
    let here = matrix.row(Variation::ServerName);
    let shape = matrix.row(Variation::Shape);
    matrix.manner != Manner::Impostor
        && matrix.trials.len() >= TRIALS
        && here.none()
        && here.of >= TRIALS
        && shape.all()
        && shape.of >= TRIALS
        && matrix.hits().next().is_none()
        && matrix.free() > 0
}

/// What was seen of one manner, at all addresses.
#[derive(Default)]
struct Told {
    addresses: BTreeSet<IpAddr>,
    names: BTreeSet<String>,
    evidence: Vec<String>,
    trials: usize,
}

impl Told {
    fn add(&mut self, address: IpAddr, name: Option<&str>, matrix: &Matrix) {
        self.addresses.insert(address);
        self.names.extend(name.map(str::to_owned));
        self.trials += matrix.trials.len();
        let rows = [Variation::ServerName, Variation::Shape];
        let contrasts = rows.into_iter().flat_map(|row| matrix.cells(row));
        let all = matrix.trials.iter().copied().chain(contrasts);
        self.evidence.extend(all.map(|it| it.id.clone()));
    }

    fn finding(self, evidence: &Evidence, manner: Manner) -> Finding {
        Finding {
            technique: Technique::new(Trigger::TlsFingerprint, manner.interference()),
            confidence: Confidence::Likely,
            endpoints: endpoints(evidence.target)
                .filter(|endpoint| {
                    let own = endpoint.server_name.as_deref().or(endpoint.host.as_deref());
                    endpoint.protocol.is_tls() && own.is_some_and(|own| self.names.contains(own))
                })
                .map(|endpoint| endpoint.id.clone())
                .collect(),
            evidence: self.evidence,
            doubt: Some(
                "One operator may refuse such clients at all its servers: neutral servers take them"
                    .to_owned(),
            ),
            seen: format!(
                "The plain ClientHello failed in {0} of {0} trials at {1} addresses, whatever name was in it; one of another shape, \
                 with the same name, was answered there in every trial, and the controls answer the plain one",
                self.trials,
                self.addresses.len()
            ),
        }
    }
}
