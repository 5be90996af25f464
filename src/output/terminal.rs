//! Hostile text made harmless: what came from a network never steers a terminal or turns its text around.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text with everything that does not simply print written out: `\n`, `\x1b`, `\u{202e}`.
///
/// Every string of network origin passes here on its way to a person; so do all others, because a verdict's sentence
/// may quote a page's title.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            hostile if is_hostile(hostile) && u32::from(hostile) < 0x100 => {
                let _ = write!(escaped, "\\x{:02x}", u32::from(hostile));
            }
            hostile if is_hostile(hostile) => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(hostile));
            }
            harmless => escaped.push(harmless),
        }
    }
    Cow::Owned(escaped)
}

/// The same, and no wider than so many columns; an ellipsis tells that there was more.
pub fn escape_short(text: &str, most: usize) -> String {
    let escaped = escape(text);
    if escaped.width() <= most {
        return escaped.into_owned();
    }
    let mut columns = 1;
    let mut short: String = escaped
        .chars()
        .take_while(|character| {
            columns += character.width().unwrap_or(0);
            columns <= most
        })
        .collect();
    short.push('…');
    short
}

/// Controls, what reorders or hides text (Unicode TR 36: bidirectional controls, zero widths, separators, tags), and
/// marks that pile up on the line above.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}'
            | '\u{0300}'..='\u{036f}'
            | '\u{061c}'
            | '\u{115f}' | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_sequence_is_written_out() {
        assert_eq!(escape("\x1b[2Jpwned\u{9b}31m"), "\\x1b[2Jpwned\\x9b31m");
        assert_eq!(escape("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
        assert_eq!(escape("one\r\ntwo\t"), "one\\r\\ntwo\\t");
    }

    #[test]
    fn ordinary_text_of_any_script_is_left_alone() {
        for text in ["Доступ ограничен", "访问受限", "café ✓ – “x”"] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis() {
        assert_eq!(escape_short("abcdef", 6), "abcdef");
        assert_eq!(escape_short("abcdefg", 6), "abcde…");
        assert_eq!(escape_short("测试名", 6), "测试名");
        assert_eq!(escape_short("测试名称", 6), "测试…");
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(text in any::<String>()) {
            prop_assert!(!escape(&text).chars().any(is_hostile));
        }
    }
}
