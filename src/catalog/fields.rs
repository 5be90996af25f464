//! A table of the file, read key by key: every wrong type, unknown key and missing key becomes a problem with a place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalog::problem::{Problems, quoted};

/// A value of the file and where it stands.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A text of the file and where it stands.
pub(super) type Text<'t> = Spanned<&'t str>;

/// What may stand in one kind of table.
pub(super) struct Kind {
    /// With its article: `an endpoint`.
    pub(super) name: &'static str,
    /// Every key it may hold; `catalog::grammar` says what they mean.
    pub(super) keys: &'static [&'static str],
}

/// One table of the file, whose keys are all known.
pub(super) struct Fields<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    kind: &'static Kind,
    /// Keys that are there, misspelt: what is told already need not be told again as missing.
    misspelt: Vec<&'static str>,
    problems: &'t Problems<'t>,
}

impl<'t> Fields<'t> {
    /// Opens a table and notes the keys that mean nothing in it.
    pub(super) fn open(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        kind: &'static Kind,
        problems: &'t Problems<'t>,
    ) -> Self {
        let mut misspelt = Vec::new();
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !kind.keys.contains(&name) {
                if problems.is_full() {
                    problems.omit();
                    continue;
                }
                misspelt.extend(nearest(name, kind.keys));
                let message = format!("unknown key {} in {}", quoted(name), kind.name);
                problems.add(&key.span(), message, Some(choices(name, kind.keys)));
            }
        }
        Self {
            table,
            span,
            kind,
            misspelt,
            problems,
        }
    }

    /// Where the table begins: its header, or its opening brace.
    pub(super) fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// Where its problems go.
    pub(super) fn problems(&self) -> &'t Problems<'t> {
        self.problems
    }

    /// Whether the key is there, be its value right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// Whether the key is not there, and no misspelling of it either.
    pub(super) fn is_absent(&self, key: &str) -> bool {
        !self.has(key) && !self.misspelt.contains(&key)
    }

    /// Whether the key holds a text.
    pub(super) fn is_text(&self, key: &str) -> bool {
        matches!(
            self.value(key).map(Spanned::get_ref),
            Some(DeValue::String(_))
        )
    }

    /// Where the value of a key stands; the table's own place if there is none.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        self.value(key)
            .map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// A text that may be absent.
    pub(super) fn text(&self, key: &'static str) -> Option<Text<'t>> {
        self.value(key).and_then(|value| self.as_text(key, value))
    }

    /// A text without which the table means nothing.
    pub(super) fn required_text(&self, key: &'static str) -> Option<Text<'t>> {
        self.require(key);
        self.text(key)
    }

    /// Notes a missing key.
    pub(super) fn require(&self, key: &'static str) {
        if self.is_absent(key) {
            let message = format!("`{key}` is missing in {}", self.kind.name);
            let hint = format!("write `{key} = ...` below it");
            self.problems.absent(&self.span, message, Some(hint));
        }
    }

    /// Whether the key holds a list without members.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        matches!(self.value(key).map(Spanned::get_ref), Some(DeValue::Array(list)) if list.is_empty())
    }

    /// `true` or `false`; absent is `false`.
    pub(super) fn flag(&self, key: &'static str) -> bool {
        match self.value(key).map(|value| (value, value.get_ref())) {
            None => false,
            Some((_, DeValue::Boolean(flag))) => *flag,
            Some((value, _)) => {
                self.wrong_type(key, value, "`true` or `false`", None);
                false
            }
        }
    }

    /// A list of texts; absent is empty.
    pub(super) fn texts(&self, key: &'static str) -> Vec<Text<'t>> {
        self.list(key)
            .filter_map(|value| self.as_text(key, value))
            .collect()
    }

    /// A list of texts that must not be absent or empty.
    pub(super) fn required_texts(&self, key: &'static str) -> Vec<Text<'t>> {
        self.require(key);
        if self.is_empty_list(key) {
            self.problems
                .add(&self.place(key), format!("`{key}` is empty"), None);
        }
        self.texts(key)
    }

    /// A whole number that may be absent, with its place.
    pub(super) fn number(&self, key: &'static str) -> Option<Spanned<i64>> {
        self.value(key).and_then(|value| self.as_number(key, value))
    }

    /// A list of whole numbers; absent is empty.
    pub(super) fn numbers(&self, key: &'static str) -> Vec<Spanned<i64>> {
        self.list(key)
            .filter_map(|value| self.as_number(key, value))
            .collect()
    }

    /// A table inside this one.
    pub(super) fn table(&self, key: &'static str, kind: &'static Kind) -> Option<Fields<'t>> {
        let value = self.value(key)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Fields::open(table, value.span(), kind, self.problems));
        }
        self.wrong_type(
            key,
            value,
            "a table",
            Some(format!("write `{key} = {{ ... }}`")),
        );
        None
    }

    /// The tables written `[[key]]`.
    pub(super) fn tables(&self, key: &'static str, kind: &'static Kind) -> Vec<Fields<'t>> {
        let hint = || Some(format!("write `[[{key}]]` with two brackets for each one"));
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(key, value, "an array of tables", hint());
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in array {
            if let DeValue::Table(table) = value.get_ref() {
                tables.push(Fields::open(table, value.span(), kind, self.problems));
            } else {
                self.wrong_type(key, value, "a table", hint());
            }
        }
        tables
    }

    fn value(&self, key: &str) -> Option<&'t Value<'t>> {
        self.table.get(key)
    }

    fn list(&self, key: &'static str) -> impl Iterator<Item = &'t Value<'t>> + use<'t> {
        let mut items: &'t [Value<'t>] = &[];
        if let Some(value) = self.value(key) {
            if let DeValue::Array(array) = value.get_ref() {
                items = array;
            } else {
                let hint = format!("put it in brackets: `{key} = [...]`");
                self.wrong_type(key, value, "a list", Some(hint));
            }
        }
        items.iter()
    }

    fn as_text(&self, key: &str, value: &'t Value<'t>) -> Option<Text<'t>> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(Spanned::new(value.span(), text.as_ref()));
        }
        let scalar = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        self.wrong_type(
            key,
            value,
            "a text",
            scalar.then(|| "put it in quotation marks".to_owned()),
        );
        None
    }

    fn as_number(&self, key: &str, value: &Value<'t>) -> Option<Spanned<i64>> {
        if let DeValue::Integer(number) = value.get_ref() {
            // Beyond 64 bits it is out of every range of ours.
            let number = i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX);
            return Some(Spanned::new(value.span(), number));
        }
        let quoted = matches!(value.get_ref(), DeValue::String(_));
        let hint = quoted.then(|| "leave the quotation marks out".to_owned());
        self.wrong_type(key, value, "a whole number", hint);
        None
    }

    fn wrong_type(&self, key: &str, value: &Value<'_>, expected: &str, hint: Option<String>) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "a truth value",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("`{key}` should be {expected}, and {found} was found");
        self.problems.add(&value.span(), message, hint);
    }
}

/// One word of a closed set, or a problem that names the nearest one.
pub(super) fn word<T: Copy>(
    text: &Text<'_>,
    what: &str,
    words: &[(&'static str, T)],
    problems: &Problems<'_>,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| word == text.get_ref());
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("unknown {what} {}", quoted(text.get_ref()));
        problems.add(&text.span(), message, Some(choices(text.get_ref(), &known)));
    }
    found.map(|(_, value)| *value)
}

/// `did you mean`, where something is near; the whole set otherwise.
pub(super) fn choices(unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known are: `{}`", known.join("`, `")),
    }
}

/// The known word that somebody may have meant: one letter in three may be wrong.
fn nearest<'k>(unknown: &str, known: &[&'k str]) -> Option<&'k str> {
    // Comparing costs length times length, and nobody mistypes sixty characters.
    if unknown.len() > 60 {
        return None;
    }
    let unknown = unknown.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&unknown, word), *word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}
