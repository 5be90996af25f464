//! NDJSON: one object a line, written whole as soon as it is known; a run killed at any moment leaves whole lines.

use std::io;

use crate::model::observation::Observation;
use crate::model::report::{FORMAT, Line, Measured, Origin, Report, Run, Vantage, Verdict};
use crate::output::destination::Destination;
use crate::output::terminal::escape_json;
use crate::output::{Sink, software};

/// Writes `Line` values.
pub struct Ndjson {
    destination: Destination,
}

impl Ndjson {
    /// Writes to that destination.
    pub const fn new(destination: Destination) -> Self {
        Self { destination }
    }

    fn tell(&mut self, line: &Line) -> io::Result<()> {
        self.destination.write(to_bytes(line)?)
    }
}

impl Sink for Ndjson {
    fn started(&mut self, run: &Run, _: &Origin, measured: &Measured) -> io::Result<()> {
        self.tell(&Line::Started {
            format: FORMAT.to_owned(),
            software: software(),
            run: run.clone(),
            measured: Box::new(measured.clone()),
        })
    }

    fn progress(&mut self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.tell(&Line::Observation(Box::new(observation.clone())))
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.tell(&Line::Verdict(Box::new(verdict.clone())))
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        self.tell(&Line::Finished {
            run: run.clone(),
            vantage: vantage.clone(),
        })?;
        self.destination.finish()
    }
}

/// A whole report as the stream that its run would have written.
pub fn whole(report: Report) -> io::Result<Vec<u8>> {
    let started = Line::Started {
        format: report.format,
        software: report.software,
        run: Run {
            duration_s: 0.0,
            ..report.run.clone()
        },
        measured: Box::new(report.measured),
    };
    let mut bytes = to_bytes(&started)?;
    for observation in report.observations {
        bytes.extend(to_bytes(&Line::Observation(Box::new(observation)))?);
    }
    for verdict in report.verdicts {
        bytes.extend(to_bytes(&Line::Verdict(Box::new(verdict)))?);
    }
    bytes.extend(to_bytes(&Line::Finished {
        run: report.run,
        vantage: report.vantage,
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
    use crate::output::human::samples;

    #[test]
    fn every_line_is_one_object_and_the_last_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.ndjson");
        let report = samples::blocked();
        let mut sink = Ndjson::new(Destination::lines(&path).unwrap());
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
            Line::Verdict(verdict) => Some(verdict.as_ref()),
            _ => None,
        });
        assert!(verdicts.eq(report.verdicts.iter()));
        assert_eq!(
            lines.len(),
            2 + report.verdicts.len() + report.observations.len()
        );
    }

    #[test]
    fn hostile_text_cannot_break_a_line() {
        let mut report = samples::blocked();
        report.verdicts[0].summary = "one\ntwo\r\u{2028}three\x1b[31m\u{9b}31m".to_owned();
        let bytes = to_bytes(&Line::Verdict(Box::new(report.verdicts[0].clone()))).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let controls = text
            .chars()
            .filter(|it| it.is_control() || *it == '\u{2028}');
        assert_eq!(controls.count(), 1, "only the line feed at the end");
    }
}
