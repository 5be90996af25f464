//! One scenario of the lab, measured and judged as a run is.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::lab::scenarios::Scenario;
use crate::measure::files;
use crate::model::catalog::Catalog;
use crate::model::report::Origin;
use crate::output::destination::{Destination, Packing};
use crate::output::json::Json;
use crate::output::scrub::Scrubbed;
use crate::output::{Silent, Sink};
use crate::session::{self, Outcome, Setup};
use crate::{catalog, lab};

/// Far beyond what any scenario takes: a run that hangs is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks at once, as in an ordinary run.
const CONCURRENCY: usize = 1024;

/// Descriptors of one scenario of the built-in definitions: its listeners, and both ends of what talks.
pub const DESCRIPTORS: u64 = 4096;
/// Of these, those of both ends.
const TALKING: u64 = 2500;

/// Descriptors of a scenario of any definitions.
pub fn descriptors(scenario: &Scenario, catalog: &Catalog) -> u64 {
    let listening = u64::try_from(lab::sockets(scenario, catalog)).unwrap_or(u64::MAX);
    DESCRIPTORS.max(listening.saturating_add(TALKING))
}

/// Plays a scenario with the catalog that is built in, and writes the report to a file if one is given. In a runtime of
/// its own, on this thread: what one leaves behind does not disturb the next.
///
/// # Errors
/// When the lab cannot be opened on this machine, or the report cannot be written.
pub fn play(scenario: &Scenario, report: Option<&Path>) -> io::Result<Outcome> {
    files::need(DESCRIPTORS).map_err(io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(async {
        let site = lab::open(scenario, &catalog::embedded()).await?;
        let setup = Setup {
            catalog: site.catalog.clone(),
            line: site.line.clone(),
            origin: Origin::default(),
            control: None,
            timeout: Some(PATIENCE),
            concurrency: CONCURRENCY,
            cancel: CancellationToken::new(),
        };
        let mut sink: Box<dyn Sink> = match report {
            Some(path) => {
                let json = Json::new(Destination::whole(path, Packing::Plain)?);
                Box::new(Scrubbed::new(&site.line.own, Box::new(json)))
            }
            None => Box::new(Silent),
        };
        session::run(&setup, sink.as_mut()).await
    });
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_built_in_definitions_has_enough_descriptors() {
        let catalog = catalog::embedded();
        for scenario in lab::scenarios() {
            assert_eq!(
                descriptors(scenario, &catalog),
                DESCRIPTORS,
                "{}",
                scenario.name
            );
        }
    }
}
