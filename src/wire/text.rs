//! Text that came from the network, made safe to keep: bounded, and without characters that command a terminal.

/// Whether a character commands rather than shows: C0, C1, DEL, line separators and bidirectional overrides.
pub fn is_commanding(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}')
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Keeps at most `limit` characters of the text and writes commanding ones as `\u{1b}`.
pub fn escape(text: &str, limit: usize) -> String {
    let mut safe = String::new();
    for character in text.chars().take(limit) {
        if is_commanding(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The same for bytes that should be UTF-8; what is not becomes U+FFFD.
pub fn escape_bytes(bytes: &[u8], limit: usize) -> String {
    // A character has at most four bytes: no more needs to be looked at.
    let bytes = bytes.get(..limit.saturating_mul(4)).unwrap_or(bytes);
    escape(&String::from_utf8_lossy(bytes), limit)
}

/// Keeps a text of many lines readable: line ends and tabs stay, other commanding characters become U+FFFD.
pub fn readable(bytes: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut safe = String::new();
    for character in text.chars() {
        let shown = match character {
            '\n' | '\t' => character,
            other if is_commanding(other) => char::REPLACEMENT_CHARACTER,
            other => other,
        };
        if safe.len() + shown.len_utf8() > limit {
            break;
        }
        safe.push(shown);
    }
    safe
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0x0f)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

/// The bytes of exactly twice as many hexadecimal digits, in either case.
pub fn unhex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != LENGTH || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_sequence_is_shown_and_not_obeyed() {
        assert_eq!(
            escape("a\u{1b}[31m\u{202e}b\u{9b}", 99),
            "a\\u{1b}[31m\\u{202e}b\\u{9b}"
        );
    }

    #[test]
    fn lines_stay_lines_in_a_readable_body() {
        assert_eq!(readable(b"a\r\nb\tc\x1b[2J", 99), "a\nb\tc\u{fffd}[2J");
    }

    #[test]
    fn hexadecimal_digits_are_in_order() {
        assert_eq!(hex(&[0x00, 0x16, 0xff]), "0016ff");
        assert_eq!(unhex("0016fF"), Some([0x00, 0x16, 0xff]));
        for wrong in ["0016f", "0016ff00", "0016fg", "00 6ff", "é16ff"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_commands_survives(bytes in proptest::collection::vec(any::<u8>(), 0..400), limit in 0_usize..300) {
            let escaped = escape_bytes(&bytes, limit);
            prop_assert!(!escaped.chars().any(is_commanding));
            let kept = readable(&bytes, limit);
            prop_assert!(kept.len() <= limit);
            prop_assert!(!kept.chars().any(|c| is_commanding(c) && c != '\n' && c != '\t'));
        }
    }
}
