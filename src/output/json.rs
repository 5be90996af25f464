//! JSON: the whole report as one document, written when the run is over.

use std::io;

use crate::model::observation::Observation;
use crate::model::report::{FORMAT, Measured, Origin, Report, Run, Vantage, Verdict};
use crate::output::destination::Destination;
use crate::output::terminal::escape_json;
use crate::output::{Sink, software};

/// Gathers the run and writes one `Report`.
pub struct Json {
    destination: Destination,
    measured: Measured,
    verdicts: Vec<Verdict>,
    observations: Vec<Observation>,
}

impl Json {
    /// Writes to that destination.
    pub fn new(destination: Destination) -> Self {
        Self {
            destination,
            measured: Measured::default(),
            verdicts: Vec::new(),
            observations: Vec::new(),
        }
    }
}

impl Sink for Json {
    fn started(&mut self, _: &Run, _: &Origin, measured: &Measured) -> io::Result<()> {
        self.measured = measured.clone();
        Ok(())
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.observations.push(observation.clone());
        Ok(())
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.verdicts.push(verdict.clone());
        Ok(())
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        let mut report = Report {
            format: FORMAT.to_owned(),
            software: software(),
            run: run.clone(),
            vantage: vantage.clone(),
            verdicts: std::mem::take(&mut self.verdicts),
            measured: std::mem::take(&mut self.measured),
            observations: std::mem::take(&mut self.observations),
        };
        put_in_order(&mut report);
        self.destination.write(to_bytes(&report)?)?;
        self.destination.finish()
    }
}

/// Two reports of one vantage are compared line by line: what came first says nothing there.
pub fn put_in_order(report: &mut Report) {
    report
        .verdicts
        .sort_by(|one, other| one.target.cmp(&other.target));
    report
        .observations
        .sort_by(|one, other| (one.id.len(), &one.id).cmp(&(other.id.len(), &other.id)));
}

/// One document, indented for people, with a line feed at the end.
pub fn to_bytes(report: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = escape_json(serde_json::to_vec_pretty(report)?);
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::destination::Packing;
    use crate::output::human::samples;
    use crate::output::schema;

    #[test]
    fn every_report_reads_back_and_fits_the_schema() {
        let schema = schema::report().to_value();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for report in samples::all() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("report.json");
            let mut sink = Json::new(Destination::whole(&path, Packing::Plain).unwrap());
            samples::play(&report, &mut sink).unwrap();

            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes.last(), Some(&b'\n'));
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?}");
            let read: Report = serde_json::from_value(value).unwrap();
            let mut verdicts = report.verdicts;
            verdicts.sort_by(|one, other| one.target.cmp(&other.target));
            assert_eq!(read.verdicts, verdicts);
            assert_eq!(read.observations, report.observations);
            assert_eq!(read.format, FORMAT);
        }
    }
}
