//! A page: a gutter for names, wrapped text beside it, and colours that never carry a meaning alone.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::model::report::{EndpointStatus, Status};
use crate::output::human::evidence::Mark;
use crate::output::human::{Detail, Manner};
use crate::output::terminal::escape;
use crate::output::words;

/// Lines longer than this are hard to read, however wide the window.
const WIDEST: usize = 120;

/// Narrower than this, lines are left for the terminal to break.
const NARROWEST: usize = 40;

/// Text beside a label has at least so many columns; where they are not left it stands under the label.
const ROOM: usize = 22;

/// Narrower than this, two texts do not stand side by side.
const SIDE_BY_SIDE: usize = 76;

/// Grows line by line.
pub struct Page {
    text: String,
    width: usize,
    colour: bool,
    detail: Detail,
    gutter: usize,
}

impl Page {
    /// An empty page with a gutter of so many columns.
    pub fn new(manner: Manner, gutter: usize) -> Self {
        Self {
            text: String::new(),
            width: manner.width.clamp(NARROWEST, WIDEST),
            colour: manner.colour,
            detail: manner.detail,
            gutter,
        }
    }

    /// Columns of the page.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// How much is shown.
    pub const fn detail(&self) -> Detail {
        self.detail
    }

    /// Columns of the gutter.
    pub const fn gutter(&self) -> usize {
        self.gutter
    }

    /// What was written, one line feed at its end.
    pub fn into_text(self) -> String {
        self.text
    }

    /// A line as it is.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// An empty line, unless there is one already.
    pub fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A name in the gutter and text beside it.
    pub fn entry(&mut self, label: &str, text: &str) {
        let label = self.bold(&self.padded(label));
        self.beside(&label, text);
    }

    /// Text beside a label of any width, wrapped under itself.
    pub fn beside(&mut self, label: &str, text: &str) {
        let columns = width(label);
        let room = self.width.saturating_sub(columns);
        if room < ROOM {
            let indent = label.len() - label.trim_start().len();
            self.line(label);
            self.indented(indent + 2, text);
            return;
        }
        let mut label = label.to_owned();
        for line in wrap(text, room) {
            let line = format!("{label}{line}");
            self.line(&line);
            label = " ".repeat(columns);
        }
    }

    /// Two texts side by side after a label, the left one so many columns wide; one below the other where the page is narrow.
    pub fn columns(&mut self, label: &str, left: &str, column: usize, right: &str) {
        let indent = width(label);
        if self.width < SIDE_BY_SIDE || right.is_empty() {
            self.beside(label, left);
            if !right.is_empty() {
                self.indented(indent + 2, right);
            }
            return;
        }
        let lefts = wrap(left, column.saturating_sub(2));
        let rights = wrap(right, self.width.saturating_sub(indent + column));
        for at in 0..lefts.len().max(rights.len()) {
            let cell = |cells: &[String]| cells.get(at).cloned().unwrap_or_default();
            let label = if at == 0 { label } else { "" };
            let line = format!(
                "{}{}{}",
                pad(label, indent),
                pad(&cell(&lefts), column),
                cell(&rights)
            );
            self.line(&line);
        }
    }

    /// The mark of an endpoint.
    pub fn endpoint(&self, status: EndpointStatus) -> String {
        let style = match status {
            EndpointStatus::Accessible => status_style(Status::Accessible),
            EndpointStatus::Blocked => status_style(Status::Blocked),
            EndpointStatus::Down => status_style(Status::Down),
            EndpointStatus::Inconclusive => status_style(Status::Inconclusive),
            EndpointStatus::NotRun => Style::new().dimmed(),
        };
        let label = words::endpoint_status(status);
        self.paint(label.split(' ').next().unwrap_or_default(), style)
    }

    /// Marks of attempts.
    pub fn mark(&self, mark: Mark, text: &str) -> String {
        let colour = match mark {
            Mark::Failed => AnsiColor::Red,
            Mark::Passed => AnsiColor::Green,
            Mark::Other => AnsiColor::Cyan,
        };
        self.paint(text, colour.on_default())
    }

    /// Text further in, wrapped under itself.
    pub fn indented(&mut self, indent: usize, text: &str) {
        self.hanging(indent, indent, text);
    }

    /// Text further in, its further lines further still.
    pub fn hanging(&mut self, first: usize, further: usize, text: &str) {
        let mut indent = first;
        // Wrapped to the narrower of the two, so that neither line is too wide.
        for line in wrap(text, self.width.saturating_sub(first.max(further))) {
            let line = format!("{}{line}", " ".repeat(indent));
            self.line(&line);
            indent = further;
        }
    }

    /// As wide as the gutter.
    pub fn padded(&self, label: &str) -> String {
        pad(label, self.gutter)
    }

    /// A sentence for a person, harmless and with a capital; what begins with an endpoint's id stays as it is written.
    pub fn sentence(&self, text: &str) -> String {
        let text = escape(text);
        let begins_with_id = |word: &str| word.contains("://");
        if text.split_whitespace().next().is_some_and(begins_with_id) {
            return text.into_owned();
        }
        let mut rest = text.chars();
        rest.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(rest).collect()
        })
    }

    /// A status with its symbol.
    pub fn status(&self, status: Status) -> String {
        self.paint(&status_label(status), status_style(status))
    }

    /// The same in the word of the report, for lines that programs may read.
    pub fn contract(&self, status: Status) -> String {
        let label = format!("{} {}", words::symbol(status), status.word());
        self.paint(&label, status_style(status))
    }

    /// Headings and names.
    pub fn bold(&self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    /// What is worth less attention.
    pub fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// What is worth more.
    pub fn warning(&self, text: &str) -> String {
        self.paint(text, AnsiColor::Yellow.on_default())
    }

    /// Word by word, so that wrapped text keeps its colour within each line.
    pub fn paint(&self, text: &str, style: Style) -> String {
        if !self.colour || text.trim().is_empty() {
            return text.to_owned();
        }
        let words: Vec<String> = text
            .split(' ')
            .map(|word| {
                if word.is_empty() {
                    String::new()
                } else {
                    format!("{style}{word}{style:#}")
                }
            })
            .collect();
        words.join(" ")
    }
}

/// A symbol and the word for a person.
pub fn status_label(status: Status) -> String {
    format!("{} {}", words::symbol(status), words::status(status))
}

/// The colour of a status.
pub const fn status_style(status: Status) -> Style {
    match status {
        Status::Accessible => AnsiColor::Green.on_default(),
        Status::Degraded => AnsiColor::Yellow.on_default().bold(),
        Status::Blocked => AnsiColor::Red.on_default().bold(),
        Status::Down => AnsiColor::Magenta.on_default(),
        Status::Inconclusive => AnsiColor::Cyan.on_default(),
    }
}

/// Columns that a text takes; our own colours take none.
pub fn width(text: &str) -> usize {
    let mut total = 0;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        total += before.width();
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    total + rest.width()
}

/// The text and spaces up to that width.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Breaks at spaces; words longer than a line are broken where their parts end, and only without such a place where it ends.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let needed = width(word);
        let gap = usize::from(used > 0);
        if used + gap + needed > columns && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else {
            continue;
        };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if needed <= columns {
            line.push_str(word);
            used += needed;
        } else {
            used = push_broken(&mut lines, word, columns);
        }
    }
    lines
}

/// Puts a long word on as many lines as it takes; tells the columns used of the last one.
fn push_broken(lines: &mut Vec<String>, word: &str, columns: usize) -> usize {
    let mut used = 0;
    let mut in_colour = false;
    // Where the line may end: bytes and columns so far.
    let mut seam: Option<(usize, usize)> = None;
    for character in word.chars() {
        in_colour |= character == '\x1b';
        let needed = if in_colour {
            0
        } else {
            unicode_width::UnicodeWidthChar::width(character).unwrap_or(0)
        };
        in_colour &= character != 'm';
        while used > 0 && used + needed > columns {
            let line = lines.last_mut();
            let (rest, left) = match (line, seam.take()) {
                (Some(line), Some((at, before))) => (line.split_off(at), used - before),
                _ => (String::new(), 0),
            };
            lines.push(rest);
            used = left;
        }
        if let Some(line) = lines.last_mut() {
            line.push(character);
            used += needed;
            if matches!(character, '_' | '/') {
                seam = Some((line.len(), used));
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_wrapped_line_is_too_wide_and_no_word_is_lost(
            text in "[a-z_✓访 ]{0,120}",
            columns in 2..60_usize,
        ) {
            let lines = wrap(&text, columns);
            for line in &lines {
                prop_assert!(width(line) <= columns, "{line:?}");
            }
            let kept: String = lines.concat().replace(' ', "");
            prop_assert_eq!(kept, text.replace(' ', ""));
        }
    }

    #[test]
    fn a_word_longer_than_a_line_is_broken_where_its_parts_end() {
        let wrapped = |text, columns| wrap(text, columns).join("|");
        assert_eq!(
            wrapped("✓ data_centre_alternatives, web", 16),
            "✓|data_centre_|alternatives,|web"
        );
        assert_eq!(
            wrapped("https://a.example.org/b", 14),
            "https://|a.example.org/|b"
        );
        assert_eq!(wrapped("nowhere_toooooolong", 8), "nowhere_|tooooool|ong");
    }
}
