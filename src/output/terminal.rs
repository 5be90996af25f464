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

/// JSON with every such character written as `\u202e`: the same document for a program, and harmless for a terminal.
/// Outside its strings JSON has none of them, so the text can be changed without being read.
pub fn escape_json(json: Vec<u8>) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii() && *byte != 0x7f;
    if json.iter().all(is_plain) {
        return json;
    }
    let text = match String::from_utf8(json) {
        Ok(text) => text,
        Err(error) => return error.into_bytes(),
    };
    let mut escaped = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if u32::from(character) >= 0x7f && is_hostile(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped.into_bytes()
}

/// A URL without what may be a secret: user, password, the values of its query, and its fragment.
/// Other text, such as a file's name, stays as it is.
pub fn redact_url(url: &str) -> String {
    if !url.contains("://") {
        return url.to_owned();
    }
    let (rest, fragment) = match url.split_once('#') {
        Some((rest, _)) => (rest, "#[removed]"),
        None => (url, ""),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let mut redacted = match rest.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '\\']).unwrap_or(rest.len());
            // A password may hold a slash that was not encoded; then the last `@` still ends it.
            let at = rest[..end].rfind('@').or_else(|| rest.rfind('@'));
            match at {
                Some(at) => format!("{scheme}://[removed]@{}", &rest[at + 1..]),
                None => format!("{scheme}://{rest}"),
            }
        }
        None => rest.to_owned(),
    };
    if let Some(query) = query {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) => format!("{key}=[removed]"),
            None => "[removed]".to_owned(),
        });
        redacted.push('?');
        redacted.push_str(&pairs.collect::<Vec<_>>().join("&"));
    }
    redacted + fragment
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
    fn json_steers_no_terminal_and_says_the_same() {
        let text = "a\u{9b}31m\u{85}\u{202e}\u{200b}\u{7f}\u{e0041} Доступ \"\\\u{1b}";
        let value = serde_json::json!({ text: [text, "e\u{301}"] });
        for json in [
            serde_json::to_vec(&value).unwrap(),
            serde_json::to_vec_pretty(&value).unwrap(),
        ] {
            let escaped = String::from_utf8(escape_json(json)).unwrap();
            let is_layout = |character: char| character == '\n';
            assert!(
                !escaped.chars().any(|it| is_hostile(it) && !is_layout(it)),
                "{escaped}"
            );
            assert!(escaped.contains("\\u009b31m"), "{escaped}");
            assert!(escaped.contains("Доступ"), "{escaped}");
            let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
            assert_eq!(read, value);
        }
    }

    #[test]
    fn a_url_keeps_none_of_its_secrets() {
        for (url, redacted) in [
            (
                "http://user:SECRET@127.0.0.1:1/x",
                "http://[removed]@127.0.0.1:1/x",
            ),
            ("https://SECRET@h/x", "https://[removed]@h/x"),
            ("https://u:SEC/RET@h/x", "https://[removed]@h/x"),
            ("https://u:SEC@RET@h/x", "https://[removed]@h/x"),
            (
                "https://h/x?token=SECRET&SECRET#SECRET",
                "https://h/x?token=[removed]&[removed]#[removed]",
            ),
            ("https://h?a=SECRET", "https://h?a=[removed]"),
            ("https://h/r.json", "https://h/r.json"),
            ("reports/r?a=b#c.json", "reports/r?a=b#c.json"),
        ] {
            assert_eq!(redact_url(url), redacted);
        }
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
