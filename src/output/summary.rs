//! Many reports on one page: a row for each day and vantage, a column for each target.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;

use crate::model::report::{Report, Status, Vantage, Verdict};
use crate::output::csv;
use crate::output::human::Manner;
use crate::output::human::layout::{self, Page, status_label};
use crate::output::terminal::{escape, escape_short};

/// Columns that a vantage's name may take.
const LONGEST_VANTAGE: usize = 24;
/// Columns of a day, and of the gap after each column.
const DAY: usize = 10;
const GAP: usize = 2;
/// A target's column holds at least `? inconclusive` and the gap.
const NARROWEST: usize = 16;
/// Techniques that a cell holds; the others are counted.
const MOST_TECHNIQUES: usize = 3;

/// What many reports say, by day, vantage and target.
#[derive(Debug, Default)]
pub struct Summary {
    rows: BTreeMap<(String, String), BTreeMap<String, Cell>>,
    names: BTreeMap<String, String>,
}

/// What one day's runs at one vantage say of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    day: String,
    vantage: String,
    asn: Option<String>,
    country: Option<String>,
    target: String,
    /// The worst of the day.
    status: Status,
    /// Runs with that status.
    runs_with_status: usize,
    /// Runs of the day.
    runs: usize,
    /// What those runs with that status found.
    techniques: BTreeSet<String>,
}

impl Summary {
    /// Takes in one report.
    pub fn add(&mut self, report: &Report) {
        let key = (csv::day(&report.run).to_owned(), vantage(&report.vantage));
        for verdict in &report.verdicts {
            self.names
                .entry(verdict.target.clone())
                .or_insert_with(|| verdict.name.clone());
            let row = self.rows.entry(key.clone()).or_default();
            row.entry(verdict.target.clone())
                .or_insert_with(|| Cell {
                    day: key.0.clone(),
                    vantage: key.1.clone(),
                    asn: report.vantage.asn.clone(),
                    country: report.vantage.country.clone(),
                    target: verdict.target.clone(),
                    status: verdict.status,
                    runs_with_status: 0,
                    runs: 0,
                    techniques: BTreeSet::new(),
                })
                .add(verdict);
        }
    }

    /// Every cell, by day, then vantage, then target.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rows.values().flat_map(BTreeMap::values)
    }

    /// One row a cell, with a header.
    ///
    /// # Errors
    /// Never in practice: the writer is a buffer.
    pub fn to_csv(&self) -> io::Result<Vec<u8>> {
        let mut bytes = csv::record([
            "day",
            "vantage",
            "asn",
            "country",
            "target",
            "status",
            "runs_with_status",
            "runs",
            "techniques",
        ])?;
        for cell in self.cells() {
            bytes.extend(csv::record([
                cell.day.clone(),
                cell.vantage.clone(),
                cell.asn.clone().unwrap_or_default(),
                cell.country.clone().unwrap_or_default(),
                cell.target.clone(),
                cell.status.word().to_owned(),
                cell.runs_with_status.to_string(),
                cell.runs.to_string(),
                Vec::from_iter(cell.techniques.clone()).join(" "),
            ])?);
        }
        Ok(bytes)
    }

    /// For a person: a table where the targets have room side by side, a list otherwise.
    pub fn render(&self, manner: Manner) -> String {
        let mut page = Page::new(manner, 0);
        let vantages = self
            .rows
            .keys()
            .map(|(_, vantage)| layout::width(&short(vantage)));
        let first = vantages.chain(["Vantage".len()]).max().unwrap_or_default() + GAP;
        let rest = page.width().saturating_sub(DAY + GAP + first);
        let column = rest / self.names.len().max(1);
        if column < NARROWEST {
            self.list(&mut page);
        } else {
            self.table(&mut page, first, column);
        }
        page.into_text()
    }

    fn table(&self, page: &mut Page, first: usize, column: usize) {
        let mut widths = vec![DAY + GAP, first];
        widths.extend(self.names.keys().map(|_| column));
        let mut table = Table::new();
        let heads = ["Day".to_owned(), "Vantage".to_owned()];
        let names = self
            .names
            .values()
            .map(|name| escape_short(name, column - GAP));
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(widths.iter().sum::<usize>()).unwrap_or(u16::MAX))
            .set_header(heads.into_iter().chain(names))
            .set_constraints(widths.iter().map(|width| {
                ColumnConstraint::Absolute(Width::Fixed(u16::try_from(*width).unwrap_or(u16::MAX)))
            }));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for ((day, vantage), cells) in &self.rows {
            let mut row = vec![escape(day).into_owned(), short(vantage)];
            row.extend(self.names.keys().map(|target| {
                cells
                    .get(target)
                    .map_or_else(|| "-".to_owned(), |cell| cell.text(column - GAP))
            }));
            table.add_row(row);
        }
        for (at, line) in table.lines().enumerate() {
            let line = if at == 0 { page.dim(&line) } else { line };
            page.line(&line);
        }
    }

    fn list(&self, page: &mut Page) {
        for ((day, vantage), cells) in &self.rows {
            let label = format!("{}  {}", escape(day), short(vantage));
            let label = page.bold(&label);
            page.line(&label);
            for (target, cell) in cells {
                let name = self
                    .names
                    .get(target)
                    .map_or(target.as_str(), String::as_str);
                let name = layout::pad(&escape_short(name, LONGEST_VANTAGE), NARROWEST);
                let text = cell.text(usize::MAX).replace('\n', " ");
                page.hanging(2, 4, &format!("{name}{text}"));
            }
        }
    }
}

impl Cell {
    fn add(&mut self, verdict: &Verdict) {
        if rank(verdict.status) < rank(self.status) {
            self.status = verdict.status;
            self.runs_with_status = 0;
            self.techniques.clear();
        }
        if verdict.status == self.status {
            self.runs_with_status += 1;
            self.techniques.extend(
                verdict
                    .techniques
                    .iter()
                    .map(|technique| technique.id.clone()),
            );
        }
        self.runs += 1;
    }

    /// `✗ blocked 3/24`, and what was found.
    fn text(&self, columns: usize) -> String {
        let mut lines = vec![status_label(self.status)];
        if self.runs_with_status < self.runs {
            let of = format!(" {}/{}", self.runs_with_status, self.runs);
            if layout::width(&lines[0]) + of.len() <= columns {
                lines[0].push_str(&of);
            } else {
                lines.push(format!(" {of}"));
            }
        }
        for id in self.techniques.iter().take(MOST_TECHNIQUES) {
            let id = escape(id);
            match id.split_once('/') {
                Some((trigger, interference)) if layout::width(&id) > columns => {
                    lines.push(escape_short(&format!("{trigger}/"), columns));
                    lines.push(escape_short(interference, columns));
                }
                _ => lines.push(escape_short(&id, columns)),
            }
        }
        let more = self.techniques.len().saturating_sub(MOST_TECHNIQUES);
        if more > 0 {
            lines.push(format!("+{more} more"));
        }
        lines.join("\n")
    }
}

/// Worst first.
const fn rank(status: Status) -> usize {
    match status {
        Status::Blocked => 0,
        Status::Degraded => 1,
        Status::Down => 2,
        Status::Inconclusive => 3,
        Status::Accessible => 4,
    }
}

/// What the user calls it, or else what the user says of its network.
fn vantage(vantage: &Vantage) -> String {
    if let Some(label) = &vantage.label {
        return label.clone();
    }
    let known: Vec<&str> = [&vantage.country, &vantage.asn]
        .into_iter()
        .filter_map(Option::as_deref)
        .collect();
    if known.is_empty() {
        "-".to_owned()
    } else {
        known.join(" ")
    }
}

fn short(vantage: &str) -> String {
    escape_short(vantage, LONGEST_VANTAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::human::{Detail, samples};

    fn manner(width: usize) -> Manner {
        Manner {
            width,
            colour: false,
            detail: Detail::Plain,
        }
    }

    fn summary() -> Summary {
        let mut summary = Summary::default();
        for (day, label, mut report) in [
            ("2026-11-30", "moscow", samples::blocked()),
            ("2026-11-30", "moscow", samples::accessible()),
            ("2026-11-29", "moscow", samples::accessible()),
            ("2026-11-30", "berlin", samples::accessible()),
        ] {
            report.vantage.label = Some(label.to_owned());
            report.run.started_at = format!("{day}T10:00:00Z");
            summary.add(&report);
        }
        summary
    }

    #[test]
    fn a_day_at_a_vantage_is_a_row_and_shows_its_worst_run() {
        let summary = summary();
        let keys: Vec<_> = summary.rows.keys().collect();
        let key = |day: &str, vantage: &str| (day.to_owned(), vantage.to_owned());
        assert_eq!(
            keys,
            [
                &key("2026-11-29", "moscow"),
                &key("2026-11-30", "berlin"),
                &key("2026-11-30", "moscow")
            ]
        );
        let cell = summary.cells().find(|cell| {
            cell.target == "whatsapp" && cell.vantage == "moscow" && cell.day == "2026-11-30"
        });
        let cell = cell.unwrap();
        assert_eq!(
            (cell.status, cell.runs_with_status, cell.runs),
            (Status::Blocked, 1, 2)
        );
        assert!(cell.techniques.contains("domain_name/nxdomain"));
    }

    #[test]
    fn no_line_is_wider_than_the_window_and_every_cell_is_there() {
        let summary = summary();
        for width in [60, 80, 100, 120] {
            let text = summary.render(manner(width));
            for line in text.lines() {
                assert!(layout::width(line) <= width, "{width}: {line}");
            }
            assert!(text.contains("✗ blocked 1/2"), "{width}: {text}");
            assert_eq!(text.matches("✓ works").count(), 10, "{width}: {text}");
            assert!(text.contains("nxdomain"), "{width}: {text}");
        }
        assert!(
            summary
                .render(manner(100))
                .starts_with("Day         Vantage")
        );
    }

    #[test]
    fn flat_rows_have_a_header_and_one_row_a_cell() {
        let text = String::from_utf8(summary().to_csv().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 1 + 12, "{text}");
        assert!(
            text.contains("2026-11-30,moscow,,,whatsapp,blocked,1,2,domain_name/nxdomain"),
            "{text}"
        );
    }
}
