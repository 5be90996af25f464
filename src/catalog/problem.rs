//! What is wrong with a definitions file and where: gathered in one pass, shown with the line and a caret.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::ops::Range;

/// More than this many problems are counted, not shown: nobody reads them, and a hostile file has millions.
pub const MAX_SHOWN: usize = 50;

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    excerpt: Option<Excerpt>,
}

/// The part of the source line that is shown, made harmless for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    text: String,
    indent: usize,
    width: usize,
}

/// Every problem of one definitions file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogErrors {
    /// The file's name as given, or `embedded`.
    pub file: String,
    /// At most [`MAX_SHOWN`] of them.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub omitted: usize,
}

impl CatalogErrors {
    /// A problem of the file as a whole, without a line to show.
    pub(super) fn whole_file(file: &str, message: String, hint: &str) -> Self {
        let problem = Problem {
            line: 1,
            column: 1,
            message,
            hint: Some(hint.to_owned()),
            excerpt: None,
        };
        Self {
            file: file.to_owned(),
            problems: vec![problem],
            omitted: 0,
        }
    }
}

impl fmt::Display for CatalogErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable(&self.file);
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.show(&file, f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n\nerror: ... and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl Error for CatalogErrors {}

impl Problem {
    fn show(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, .. } = self;
        write!(f, "error: {}", self.message)?;
        write!(f, "\n  --> {file}:{line}:{column}")?;
        if let Some(excerpt) = &self.excerpt {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let indent = " ".repeat(excerpt.indent);
            let caret = "^".repeat(excerpt.width);
            write!(f, "\n {gutter} |\n {number} | {}", excerpt.text)?;
            write!(f, "\n {gutter} | {indent}{caret}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Where the problems of one file are gathered. It is shared by everything that reads the file.
pub(super) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
    found: RefCell<Vec<(usize, Problem)>>,
    omitted: Cell<usize>,
    broken_syntax: Cell<bool>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            file,
            text,
            line_starts,
            found: RefCell::default(),
            omitted: Cell::new(0),
            broken_syntax: Cell::new(false),
        }
    }

    /// Notes what is wrong at these bytes. What the parser stumbled over has been told: the rest follows from it.
    pub(super) fn add(&self, span: &Range<usize>, message: String, hint: Option<String>) {
        if self.broken_syntax.get() && self.found.borrow().iter().any(|(at, _)| *at == span.start) {
            return;
        }
        if self.is_full() {
            return self.omit();
        }
        // Words of the file may be in both: they get no line of their own on the screen.
        let problem = self.locate(span, one_line(message), hint.map(one_line));
        self.found.borrow_mut().push((span.start, problem));
    }

    /// Whether the next problem will only be counted: then its hint need not be thought out.
    pub(super) fn is_full(&self) -> bool {
        self.found.borrow().len() >= MAX_SHOWN
    }

    /// Counts a problem that will not be shown.
    pub(super) fn omit(&self) {
        self.omitted.set(self.omitted.get() + 1);
    }

    /// Notes that something is not there, unless the syntax is broken: then it may well be there, unread.
    pub(super) fn absent(&self, span: &Range<usize>, message: String, hint: Option<String>) {
        if !self.broken_syntax.get() {
            self.add(span, message, hint);
        }
    }

    /// Notes what the TOML parser could not read.
    pub(super) fn syntax(&self, span: &Range<usize>, message: &str) {
        let message = format!("not valid TOML: {}", message.trim_end().replace('\n', ", "));
        self.add(span, message, None);
        self.broken_syntax.set(true);
    }

    /// The catalog, or every problem in the order of the lines.
    pub(super) fn settle<T>(self, value: T) -> Result<T, CatalogErrors> {
        let mut found = self.found.into_inner();
        if found.is_empty() {
            return Ok(value);
        }
        found.sort_by_key(|(at, _)| *at);
        Err(CatalogErrors {
            file: self.file.to_owned(),
            problems: found.into_iter().map(|(_, problem)| problem).collect(),
            omitted: self.omitted.get(),
        })
    }

    fn locate(&self, span: &Range<usize>, message: String, hint: Option<String>) -> Problem {
        let start = boundary(self.text, span.start);
        let end = boundary(self.text, span.end).max(start);
        let line = self.line_starts.partition_point(|at| *at <= start).max(1);
        let from = self.line_starts[line - 1];
        let until = self
            .line_starts
            .get(line)
            .map_or(self.text.len(), |next| *next - 1);
        let column = self.text[from..start].chars().count();
        let width = self.text[start..end.min(until).max(start)].chars().count();
        Problem {
            line,
            column: column + 1,
            message,
            hint,
            excerpt: Some(excerpt(&self.text[from..until.max(from)], column, width)),
        }
    }
}

/// Text of the file, quoted for a message: short, and without anything a terminal would obey.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{}`", printable(&shown))
}

/// Cuts a long line to the neighbourhood of the caret.
fn excerpt(line: &str, column: usize, width: usize) -> Excerpt {
    const LONGEST: usize = 100;
    const BEFORE: usize = 40;
    let line = line.trim_end_matches('\r');
    let skipped = if column + width.min(BEFORE) > LONGEST {
        column.saturating_sub(BEFORE)
    } else {
        0
    };
    let mut text = String::new();
    if skipped > 0 {
        text.push('…');
    }
    let indent = column - skipped + text.chars().count();
    text.extend(line.chars().skip(skipped).take(LONGEST).map(harmless));
    if line.chars().nth(skipped + LONGEST).is_some() {
        text.push('…');
    }
    let room = text.chars().count().saturating_sub(indent);
    Excerpt {
        text,
        indent,
        width: width.min(room).max(1),
    }
}

/// One column for each character, so that the caret stays under its place.
fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        '"' | '\'' | '\\' => c,
        _ if c.escape_debug().count() > 1 => '\u{fffd}',
        _ => c,
    }
}

fn one_line(text: String) -> String {
    let shown = printable(&text);
    if shown == text { text } else { shown }
}

/// Text without anything a terminal would obey, line feeds included.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let plain = matches!(c, '"' | '\'' | '\\');
            let escaped = (!plain).then(|| c.escape_debug());
            plain
                .then_some(c)
                .into_iter()
                .chain(escaped.into_iter().flatten())
        })
        .collect()
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let problems = Problems::new("my.toml", text);
        problems.add(&span, "wrong".to_owned(), Some("mend it".to_owned()));
        problems.settle(()).expect_err("one problem").to_string()
    }

    #[test]
    fn the_caret_stands_under_the_words() {
        insta::assert_snapshot!(shown("a = 1\n\tbad = 2\n", 7..10), @"
        error: wrong
          --> my.toml:2:2
           |
         2 |  bad = 2
           |  ^^^
        hint: mend it
        ");
    }

    #[test]
    fn a_span_over_lines_is_marked_on_its_first_line() {
        insta::assert_snapshot!(shown("x = [\n1,\n]\n", 4..9), @"
        error: wrong
          --> my.toml:1:5
           |
         1 | x = [
           |     ^
        hint: mend it
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
        let shown = shown(&line, 5000..5004);
        assert!(shown.contains(":1:5001\n"), "{shown}");
        assert!(
            shown.lines().all(|line| line.chars().count() < 120),
            "{shown}"
        );
        let source = shown.lines().nth(3).expect("the source line");
        let caret = shown.lines().nth(4).expect("the caret line");
        let column = caret.chars().position(|c| c == '^').expect("a caret");
        assert_eq!(source.chars().nth(column), Some('H'));
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown_raw() {
        let shown = shown("k = \"\u{1b}[31m\u{202e}\"", 0..1);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
        assert_eq!(quoted("a\u{1b}[2Jb"), "`a\\u{1b}[2Jb`");
    }

    #[test]
    fn spans_outside_the_text_are_harmless() {
        for (start, end) in [(0, 99), (99, 100), (2, 1), (1, 2)] {
            let span = start..end;
            assert!(shown("ж", span).contains("wrong"));
        }
        assert!(shown("", 0..0).contains(":1:1\n"));
    }

    #[test]
    fn problems_beyond_the_limit_are_counted() {
        let problems = Problems::new("my.toml", "x");
        for _ in 0..MAX_SHOWN + 7 {
            problems.add(&(0..1), "wrong".to_owned(), None);
        }
        let errors = problems.settle(()).expect_err("problems");
        assert_eq!((errors.problems.len(), errors.omitted), (MAX_SHOWN, 7));
        assert!(errors.to_string().ends_with("... and 7 more"));
    }
}
