//! NDJSON: one object a line, written whole as soon as it is known; a run killed at any moment leaves whole lines.

use std::io;

use crate::model::observation::Observation;
use crate::model::report::{
    FORMAT, Line, Measured, Origin, Provenance, Report, Run, Vantage, Verdict,
};
use crate::output::destination::Destination;
use crate::output::terminal::escape_json;
use crate::output::{Sink, software};

/// Writes `Line` values.
pub struct Ndjson {
    destination: Destination,
    provenance: Provenance,
    /// Without observations.
    quiet: bool,
}

impl Ndjson {
    /// Writes to that destination; `quiet` leaves out the observations.
    pub fn new(destination: Destination, quiet: bool) -> Self {
        Self {
            destination,
            provenance: Provenance::default(),
            quiet,
        }
    }

    fn tell(&mut self, line: &Line) -> io::Result<()> {
        self.destination.write(to_bytes(line)?)
    }
}

impl Sink for Ndjson {
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()> {
        self.provenance = Provenance::of(run, origin, software());
        self.tell(&Line::Started {
            provenance: Box::new(self.provenance.clone()),
            format: FORMAT.to_owned(),
            run: run.clone(),
            measured: Box::new(measured.clone()),
        })
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.tell(&Line::Observation {
            run_id: self.provenance.run_id.clone(),
            observation: Box::new(observation.clone()),
        })
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.tell(&Line::Verdict {
            provenance: Box::new(self.provenance.clone()),
            verdict: Box::new(verdict.clone()),
        })
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        self.tell(&Line::Finished {
            run_id: run.id.clone(),
            run: run.clone(),
            vantage: Box::new(vantage.clone()),
        })?;
        self.destination.finish()
    }
}

/// A whole report as the stream that its run would have written; `quiet` leaves out the observations.
pub fn whole(report: Report, quiet: bool) -> io::Result<Vec<u8>> {
    let origin = report.vantage.origin();
    let provenance = Box::new(Provenance::of(&report.run, &origin, report.software));
    let run_id = report.run.id.clone();
    let started = Line::Started {
        provenance: provenance.clone(),
        format: report.format,
        run: Run {
            duration_s: 0.0,
            ..report.run.clone()
        },
        measured: Box::new(report.measured),
    };
    let mut bytes = to_bytes(&started)?;
    let observations = report.observations.into_iter().filter(|_| !quiet);
    for observation in observations {
        bytes.extend(to_bytes(&Line::Observation {
            run_id: run_id.clone(),
            observation: Box::new(observation),
        })?);
    }
    for verdict in report.verdicts {
        bytes.extend(to_bytes(&Line::Verdict {
            provenance: provenance.clone(),
            verdict: Box::new(verdict),
        })?);
    }
    bytes.extend(to_bytes(&Line::Finished {
        run_id,
        run: report.run,
        vantage: Box::new(report.vantage),
    })?);
    Ok(bytes)
}

/// One line, its line feed included. JSON escapes every control character, so there is no other.
fn to_bytes(line: &Line) -> io::Result<Vec<u8>> {
    let mut bytes = escape_json(serde_json::to_vec(line)?);
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::destination::Packing;
    use crate::output::human::samples;

    #[test]
    fn every_line_is_one_object_and_the_last_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.ndjson");
        let report = samples::blocked();
        let mut sink = Ndjson::new(Destination::lines(&path, Packing::Plain).unwrap(), false);
        samples::play(&report, &mut sink).unwrap();

        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with('\n'));
        let lines: Vec<Line> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("one whole object"))
            .collect();
        assert!(matches!(&lines[0], Line::Started { format, .. } if format == FORMAT));
        assert!(matches!(lines.last(), Some(Line::Finished { .. })));
        let verdicts = lines.iter().filter_map(|line| match line {
            Line::Verdict { verdict, .. } => Some(verdict.as_ref()),
            _ => None,
        });
        assert!(verdicts.eq(report.verdicts.iter()));
        assert_eq!(
            lines.len(),
            2 + report.verdicts.len() + report.observations.len()
        );
    }

    #[test]
    fn every_line_says_whose_it_is_and_a_quiet_stream_is_short() {
        let mut report = samples::blocked();
        report.vantage.tags = [("line".to_owned(), "mobile".to_owned())].into();
        report.run.id = "r1".to_owned();
        let text = |quiet| String::from_utf8(whole(report.clone(), quiet).unwrap()).unwrap();
        let objects = |text: &str| -> Vec<serde_json::Value> {
            let parsed = text.lines().map(serde_json::from_str);
            parsed.collect::<Result<_, _>>().unwrap()
        };
        for line in objects(&text(false)) {
            assert_eq!(line["run_id"], "r1");
            if line["type"] == "verdict" || line["type"] == "started" {
                assert_eq!(line["label"], "moscow-home");
                assert_eq!(line["tags"]["line"], "mobile");
                assert_eq!(line["started_at"], report.run.started_at.as_str());
                assert_eq!(line["software"]["name"], "blockprobe");
                assert_eq!(line["definitions"]["source"], "embedded");
                assert!(line["asn"].is_null() && line["country"].is_null());
            }
        }
        let quiet = objects(&text(true));
        assert_eq!(quiet.len(), 2 + report.verdicts.len());
    }

    #[test]
    fn hostile_text_cannot_break_a_line() {
        let mut report = samples::blocked();
        report.verdicts[0].summary = "one\ntwo\r\u{2028}three\x1b[31m\u{9b}31m".to_owned();
        let bytes = to_bytes(&Line::Verdict {
            provenance: Box::default(),
            verdict: Box::new(report.verdicts[0].clone()),
        })
        .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let controls = text
            .chars()
            .filter(|it| it.is_control() || *it == '\u{2028}');
        assert_eq!(controls.count(), 1, "only the line feed at the end");
    }
}
