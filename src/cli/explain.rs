//! `blockprobe explain`: what a technique means, how it is measured, and what else it could be.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::cli::arguments::ExplainArguments;
use crate::cli::trouble::Trouble;
use crate::cli::{pick, tell};
use crate::model::plain;
use crate::model::technique::{Interference, Technique, Trigger};
use crate::output::human::Detail;
use crate::output::human::layout::Page;

/// The one text of techniques: people read it in the repository too.
const TEXT: &str = include_str!("../../docs/techniques.md");

/// Columns of the list for an id; the longest has 32.
const GUTTER: usize = 34;

/// Prints the text of a technique, or the list of those that a word fits; the exit status.
///
/// # Errors
/// Of an unknown technique and of output.
pub fn run(arguments: &ExplainArguments) -> Result<u8, Trouble> {
    let manner = tell::manner(arguments.color.unwrap_or_default(), Detail::Plain);
    let mut page = Page::new(manner, GUTTER);
    match arguments.technique.as_deref() {
        None => list(&mut page, sections()),
        Some(wanted) => explain(&mut page, &wanted.to_lowercase())?,
    }
    tell::print(page.into_text().as_bytes())?;
    Ok(0)
}

/// Every technique that has a text, in the order of the document.
pub fn ids() -> impl Iterator<Item = &'static str> {
    sections().iter().map(|section| section.id)
}

/// One technique's part of the document.
#[derive(Debug)]
struct Section {
    id: &'static str,
    technique: Technique,
    paragraphs: Vec<Paragraph>,
}

/// A paragraph; its label is empty where it has none.
#[derive(Clone, Debug, PartialEq)]
struct Paragraph {
    label: &'static str,
    text: String,
}

fn sections() -> &'static [Section] {
    static READ: OnceLock<Vec<Section>> = OnceLock::new();
    READ.get_or_init(|| read(TEXT))
}

/// Sections are headed by an id in backticks; whatever stands before the first is for readers of the whole document.
fn read(text: &'static str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut open = true;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let id = heading.trim_matches('`');
            let technique = technique(id);
            open = true;
            sections.extend(technique.map(|technique| Section {
                id,
                technique,
                paragraphs: Vec::new(),
            }));
        } else if let Some(section) = sections.last_mut() {
            if line.trim().is_empty() {
                open = true;
            } else {
                section.take(line, open);
                open = false;
            }
        }
    }
    let mut before = BTreeMap::new();
    for section in &mut sections {
        section.stand_alone(&mut before);
    }
    sections
}

impl Section {
    /// Adds a line to the last paragraph, or begins another with it.
    fn take(&mut self, line: &'static str, begins: bool) {
        let labelled = line
            .strip_prefix("**")
            .and_then(|rest| rest.split_once("**"));
        let is_item = line.starts_with("- ");
        match (labelled, self.paragraphs.last_mut()) {
            (Some((label, text)), _) => self.paragraphs.push(Paragraph {
                label: label.trim_end_matches(':'),
                text: text.trim_start_matches(':').trim().to_owned(),
            }),
            (None, Some(last)) if !begins && !is_item => {
                last.text.push(' ');
                last.text += line.trim();
            }
            (None, _) => self.paragraphs.push(Paragraph {
                label: "",
                text: line.trim().to_owned(),
            }),
        }
    }

    /// A section is read by itself here: "as above" is replaced by what stands above.
    fn stand_alone(&mut self, before: &mut BTreeMap<&'static str, String>) {
        for paragraph in &mut self.paragraphs {
            let rest = paragraph.text.strip_prefix("as above");
            if let (Some(rest), Some(above)) = (rest, before.get(paragraph.label)) {
                let rest = rest.trim_start_matches([',', ';', '.', ' ']);
                let above = above.trim_end_matches('.');
                paragraph.text = if rest.is_empty() {
                    format!("{above}.")
                } else {
                    format!("{above}; {rest}")
                };
            }
            before.insert(paragraph.label, paragraph.text.clone());
        }
    }

    /// Other sections that this one's text refers to.
    fn see_also(&self) -> Vec<&'static str> {
        let is_named = |id: &str| {
            let quoted = format!("`{id}`");
            self.paragraphs.iter().any(|it| it.text.contains(&quoted))
        };
        let leans = |it: &Paragraph| it.text.contains("same contrast");
        let leans = self.paragraphs.iter().any(leans);
        let first = sections()
            .iter()
            .find(|other| other.technique.trigger == self.technique.trigger)
            .filter(|_| leans);
        ids()
            .filter(|id| *id != self.id)
            .filter(|id| is_named(id) || first.is_some_and(|first| first.id == *id))
            .collect()
    }
}

/// A technique by its id, whether or not it has a text.
fn technique(id: &str) -> Option<Technique> {
    let (trigger, interference) = id.split_once('/')?;
    Some(Technique::new(
        trigger_of(trigger)?,
        interference_of(interference)?,
    ))
}

fn trigger_of(word: &str) -> Option<Trigger> {
    let mut all = Trigger::ALL.iter().copied();
    all.find(|trigger| trigger.word() == word)
}

fn interference_of(word: &str) -> Option<Interference> {
    let mut all = Interference::ALL.iter().copied();
    all.find(|interference| interference.word() == word)
}

fn explain(page: &mut Page, wanted: &str) -> Result<(), Trouble> {
    if let Some(section) = sections().iter().find(|section| section.id == wanted) {
        show(page, section);
        return Ok(());
    }
    let (trigger, interference) = (trigger_of(wanted), interference_of(wanted));
    let fits = |section: &&Section| {
        trigger == Some(section.technique.trigger)
            || interference == Some(section.technique.interference)
    };
    let fitting: Vec<&Section> = sections().iter().filter(fits).collect();
    if fitting.is_empty() {
        return match technique(wanted) {
            Some(technique) => {
                without_text(page, technique);
                Ok(())
            }
            None => Err(unknown(wanted)),
        };
    }
    list(page, fitting);
    Ok(())
}

fn unknown(wanted: &str) -> Trouble {
    let halves = Trigger::ALL.iter().map(|trigger| trigger.word());
    let halves = halves.chain(
        Interference::ALL
            .iter()
            .map(|interference| interference.word()),
    );
    let all = "`blockprobe explain` lists all techniques";
    pick::unknown("technique", wanted, ids().chain(halves), all)
}

/// A technique that is detected in the same way as others of its trigger.
fn without_text(page: &mut Page, technique: Technique) {
    heading(page, &technique.id(), technique);
    let others = sections()
        .iter()
        .filter(|section| section.technique.trigger == technique.trigger);
    let others: Vec<&str> = others.map(|section| section.id).collect();
    if others.is_empty() {
        page.indented(0, "This version does not detect it.");
    } else {
        let text = format!(
            "It has no text of its own. It is measured like {}.",
            others.join(", ")
        );
        page.indented(0, &text);
    }
}

fn heading(page: &mut Page, id: &str, technique: Technique) {
    let id = page.bold(id);
    page.line(&id);
    let sentence = page.sentence(&plain::technique(technique));
    page.indented(0, &sentence);
    page.blank();
}

fn show(page: &mut Page, section: &Section) {
    heading(page, section.id, section.technique);
    for paragraph in &section.paragraphs {
        if !paragraph.label.is_empty() {
            let label = page.bold(paragraph.label);
            page.line(&label);
        }
        let (first, further) = if paragraph.text.starts_with("- ") {
            (2, 4)
        } else {
            (2, 2)
        };
        page.hanging(first, further, &capital(&plain(&paragraph.text)));
        page.blank();
    }
    let others = section.see_also();
    if !others.is_empty() {
        let text = format!("See also: {}", others.join(", "));
        page.indented(0, &text);
    }
}

fn list<'a>(page: &mut Page, sections: impl IntoIterator<Item = &'a Section>) {
    for section in sections {
        let sentence = page.sentence(&plain::technique(section.technique));
        page.entry(section.id, &sentence);
    }
    page.blank();
    page.indented(0, "`blockprobe explain TECHNIQUE` explains one of them.");
}

/// A terminal shows text as it is: marks of emphasis and links are for Markdown.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain += before;
        match after.split_once("](") {
            Some((words, link)) if link.contains(')') && !words.contains(['[', ']']) => {
                plain += words;
                rest = link.split_once(')').map_or("", |(_, rest)| rest);
            }
            _ => {
                plain.push('[');
                rest = after;
            }
        }
    }
    (plain + rest).replace("**", "")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::human::Manner;

    fn told(wanted: &str) -> Result<String, String> {
        let manner = Manner {
            width: 80,
            colour: false,
            detail: Detail::Plain,
        };
        let mut page = Page::new(manner, GUTTER);
        explain(&mut page, wanted).map_err(|trouble| trouble.to_string())?;
        Ok(page.into_text())
    }

    #[test]
    fn every_heading_of_the_document_is_a_technique() {
        let headings = TEXT.lines().filter(|line| line.starts_with("## `")).count();
        assert_eq!(sections().len(), headings);
        assert!(headings > 40);
    }

    #[test]
    fn every_section_can_be_read_by_itself() {
        for section in sections() {
            let told = told(section.id).expect("it has a text");
            assert!(
                told.lines().all(|line| line.chars().count() <= 80),
                "{told}"
            );
            assert!(
                !told.contains("**") && !told.contains("\n  As above"),
                "{told}"
            );
            assert!(told.lines().count() > 3, "{told}");
        }
    }

    #[test]
    fn half_of_an_id_lists_what_it_fits() {
        let told_trigger = told("domain_name").unwrap();
        assert!(told_trigger.contains("domain_name/nxdomain"));
        assert!(!told_trigger.contains("server_name/reset"));
        let told_interference = told("reset").unwrap();
        assert!(told_interference.contains("server_name/reset"));
        assert!(!told_interference.contains("domain_name/nxdomain"));
    }

    #[test]
    fn a_slip_of_the_finger_gets_the_nearest_three() {
        let told = told("domain_name/nxdomian").unwrap_err();
        assert!(
            told.contains("did you mean `domain_name/nxdomain`"),
            "{told}"
        );
        assert!(told.matches("domain_name/").count() <= 4, "{told}");
    }

    #[test]
    fn a_paragraph_that_leans_on_the_one_above_gets_its_words() {
        let text = "## `address/drop`\n\n**For a person**: it waits.\n\n## `address/refuse`\n\n\
                    **For a person**: as above, but\nnot [long](x.md).\n";
        let sections = read(text);
        let paragraph = &sections[1].paragraphs[0];
        assert_eq!(paragraph.text, "it waits; but not [long](x.md).");
        assert_eq!(plain(&paragraph.text), "it waits; but not long.");
    }
}
