//! Bytes in which a regular expression of the definitions is found: what a server of the lab can say.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Longer answers are not made up.
const MAX: usize = 16 << 10;

/// Short bytes in which the expression is probably found; whoever uses them looks. `None` where they would be long, or where
/// it cannot be read.
pub fn sample(regex: &str) -> Option<Vec<u8>> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    of(&parser.parse(regex).ok()?)
}

/// The nesting is bounded by the parser.
fn of(part: &Hir) -> Option<Vec<u8>> {
    let bytes = match part.kind() {
        // What is asked of the place of a match is looked at in the end.
        HirKind::Empty | HirKind::Look(_) => Vec::new(),
        HirKind::Literal(literal) => literal.0.to_vec(),
        HirKind::Class(class) => one_of(class)?,
        HirKind::Capture(group) => of(&group.sub)?,
        HirKind::Repetition(repeated) => {
            let count = usize::try_from(repeated.min).ok()?;
            let once = if count == 0 {
                Vec::new()
            } else {
                of(&repeated.sub)?
            };
            let length = once.len().checked_mul(count)?;
            if length > MAX {
                return None;
            }
            once.repeat(if once.is_empty() { 0 } else { count })
        }
        HirKind::Concat(parts) => {
            let mut whole = Vec::new();
            for part in parts {
                whole.extend(of(part)?);
                if whole.len() > MAX {
                    return None;
                }
            }
            whole
        }
        HirKind::Alternation(parts) => parts.iter().find_map(of)?,
    };
    Some(bytes)
}

/// A letter or digit if there is one, then what can be printed, then any.
fn one_of(class: &Class) -> Option<Vec<u8>> {
    let is_in = |byte: u8| match class {
        Class::Bytes(class) => {
            let mut ranges = class.iter();
            ranges.any(|range| (range.start()..=range.end()).contains(&byte))
        }
        Class::Unicode(class) => {
            let mut ranges = class.iter();
            byte.is_ascii()
                && ranges.any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
    };
    let letters = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z');
    let mut wanted = letters.chain(b' '..=b'~').chain(0..=u8::MAX);
    wanted.find(|byte| is_in(*byte)).map(|byte| vec![byte])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::custom::compile;

    #[test]
    fn an_expression_is_found_in_its_own_sample() {
        for regex in [
            r"^\* (OK|PREAUTH) ",
            r"^[\x24\x64\xa4\xe4]",
            r"^SSH-2\.0-\w+ \d{3,9}",
            r"(?i)hello.*world",
            r"\xff+\x00{4}",
            r"a|b|[^a-z]",
            "",
        ] {
            let found = sample(regex).unwrap();
            assert!(
                compile(regex).unwrap().is_match(&found),
                "{regex} {found:?}"
            );
        }
    }

    #[test]
    fn what_would_be_long_or_slow_is_not_made_up() {
        assert_eq!(sample("(a{1000}){1000}"), None);
        assert_eq!(sample("((){1000}){1000}"), Some(Vec::new()));
        assert_eq!(sample("("), None);
        assert_eq!(sample("[a&&b]"), None);
    }
}
