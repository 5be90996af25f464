//! CSV: one row for each target and technique, for spreadsheets and databases (RFC 4180, with a header).

use std::io;

use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Software, TechniqueReport, Vantage, Verdict};
use crate::output::destination::Destination;
use crate::output::terminal::escape;
use crate::output::{Sink, software};

/// The header.
pub const COLUMNS: [&str; 20] = [
    "run_id",
    "started_at",
    "day",
    "label",
    "asn",
    "country",
    "target",
    "name",
    "status",
    "confidence",
    "technique",
    "technique_confidence",
    "services",
    "endpoints",
    "doubt",
    "summary",
    "regime",
    "interrupted",
    "software_version",
    "definitions_sha256",
];

/// Gathers the run and writes its rows when it is over: each row says how the run ended.
pub struct Csv {
    destination: Destination,
    verdicts: Vec<Verdict>,
}

impl Csv {
    /// Writes to that destination.
    pub const fn new(destination: Destination) -> Self {
        Self {
            destination,
            verdicts: Vec::new(),
        }
    }
}

impl Sink for Csv {
    fn started(&mut self, _: &Run, _: &Origin, _: &Measured) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, _: &Observation) -> io::Result<()> {
        Ok(())
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.verdicts.push(verdict.clone());
        Ok(())
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        self.verdicts
            .sort_by(|one, other| one.target.cmp(&other.target));
        let mut bytes = record(COLUMNS)?;
        bytes.extend(rows(run, vantage, &software(), &self.verdicts)?);
        self.destination.write(bytes)?;
        self.destination.finish()
    }
}

/// The rows of one run, without a header.
///
/// # Errors
/// Never in practice: the writer is a buffer.
pub fn rows(
    run: &Run,
    vantage: &Vantage,
    software: &Software,
    verdicts: &[Verdict],
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for verdict in verdicts {
        if verdict.techniques.is_empty() {
            bytes.extend(row(run, vantage, software, verdict, None)?);
        }
        for technique in &verdict.techniques {
            bytes.extend(row(run, vantage, software, verdict, Some(technique))?);
        }
    }
    Ok(bytes)
}

fn row(
    run: &Run,
    vantage: &Vantage,
    software: &Software,
    verdict: &Verdict,
    technique: Option<&TechniqueReport>,
) -> io::Result<Vec<u8>> {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let of = |field: fn(&TechniqueReport) -> String| technique.map(field).unwrap_or_default();
    record([
        run.id.clone(),
        run.started_at.clone(),
        day(run).to_owned(),
        said(&vantage.label),
        said(&vantage.asn),
        said(&vantage.country),
        verdict.target.clone(),
        verdict.name.clone(),
        verdict.status.word().to_owned(),
        verdict.confidence.word().to_owned(),
        of(|it| it.id.clone()),
        of(|it| it.confidence.word().to_owned()),
        of(|it| it.services.join(" ")),
        of(|it| it.endpoints.join(" ")),
        of(|it| it.doubt.clone().unwrap_or_default()),
        verdict.summary.clone(),
        vantage.regime.word().to_owned(),
        run.interrupted.to_string(),
        software.version.clone(),
        run.definitions.sha256.clone(),
    ])
}

/// The day on which a run began, `2026-11-30`, in UTC.
pub fn day(run: &Run) -> &str {
    run.started_at.get(..10).unwrap_or(&run.started_at)
}

/// One row, its line feed included. Control characters are escaped: a row stays one line.
///
/// # Errors
/// Never in practice: the writer is a buffer.
pub fn record(fields: impl IntoIterator<Item = impl AsRef<str>>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for field in fields {
        writer.write_field(escape(field.as_ref()).as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::destination::Packing;
    use crate::output::human::samples;

    /// Played, and read by a reader that is not ours.
    fn read(report: &crate::model::report::Report) -> Vec<csv::StringRecord> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.csv");
        let mut sink = Csv::new(Destination::whole(&path, Packing::Plain).unwrap());
        samples::play(report, &mut sink).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
        reader.records().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_target_has_a_row_for_each_technique_and_at_least_one() {
        let report = samples::blocked();
        let rows = read(&report);
        let expected: usize = report
            .verdicts
            .iter()
            .map(|verdict| verdict.techniques.len().max(1))
            .sum();
        assert_eq!(rows.len(), expected);
        let whatsapp = rows.iter().find(|row| &row[6] == "whatsapp").unwrap();
        assert_eq!(&whatsapp[3], "moscow-home");
        assert_eq!(&whatsapp[8], "blocked");
        assert_eq!(&whatsapp[10], "domain_name/nxdomain");
        assert_eq!(&whatsapp[2], &report.run.started_at[..10]);
        let max = rows.iter().find(|row| &row[6] == "max").unwrap();
        assert_eq!((&max[8], &max[10]), ("accessible", ""));
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        let mut report = samples::blocked();
        report.verdicts[0].summary = "a,\"b\"\nc\r\u{1b}[31m;=1".to_owned();
        let target = report.verdicts[0].target.clone();
        let rows = read(&report);
        let row = rows.iter().find(|row| row[6] == target).unwrap();
        assert_eq!(&row[15], "a,\"b\"\\nc\\r\\x1b[31m;=1");
    }
}
