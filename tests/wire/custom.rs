//! Protocols of the definitions under any answer, in any pieces.

use blockprobe::model::custom::{Custom, Octets};
use blockprobe::wire::custom::{Client, MAX_ANSWER, compile};
use blockprobe::wire::handshake::{Handshake, Progress};
use proptest::collection::vec;
use proptest::prelude::*;

fn custom(prefix: &[u8], contains: &[u8], regex: Option<&str>) -> Custom {
    Custom {
        send: Octets(b"PING\r\n".to_vec()),
        prefix: Octets(prefix.to_vec()),
        contains: Octets(contains.to_vec()),
        regex: regex.map(str::to_owned),
    }
}

/// The verdict on an answer that comes in these pieces and ends.
fn verdict(custom: &Custom, pieces: &[&[u8]]) -> Progress {
    let mut client = Client::new(custom);
    for piece in pieces {
        client.receive(piece);
    }
    client.end()
}

proptest! {
    #[test]
    fn no_split_changes_the_verdict(
        answer in vec(prop::sample::select(&b"ab+\n\xff"[..]), 1..60),
        cuts in vec(0_usize..60, 0..6),
        prefix in vec(prop::sample::select(&b"ab+"[..]), 0..3),
        contains in vec(prop::sample::select(&b"ab\n"[..]), 0..3),
        regex in prop::sample::select(vec![None, Some("a+b"), Some("^[ab]*\\+"), Some("(?m)^b"), Some("\\xff.")]),
    ) {
        let custom = custom(&prefix, &contains, regex);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(answer.len())).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|it| &answer[it[0]..it[1]]).collect();
        let whole = verdict(&custom, &[&answer]);
        prop_assert_eq!(verdict(&custom, &pieces), whole);
        let bytes: Vec<&[u8]> = answer.chunks(1).collect();
        prop_assert_eq!(verdict(&custom, &bytes), whole);
    }

    #[test]
    fn an_answer_of_many_pages_is_found_wherever_what_is_expected_stands(
        before in 0_usize..70_000,
        after in 0_usize..5000,
        piece in 1_usize..9000,
    ) {
        let needle = b"<here>";
        let answer = [vec![b'.'; before], needle.to_vec(), vec![b'.'; after]].concat();
        let is_seen = before + needle.len() <= MAX_ANSWER;
        let pieces: Vec<&[u8]> = answer.chunks(piece).collect();
        for custom in [custom(b"", needle, None), custom(b"", b"", Some("<h.re>"))] {
            prop_assert_eq!(verdict(&custom, &pieces) == Progress::Done, is_seen);
        }
    }

    #[test]
    fn any_expression_compiles_or_is_refused(text in ".{0,40}") {
        if let Ok(regex) = compile(&text) {
            regex.is_match(text.as_bytes());
        }
    }

    #[test]
    fn any_bytes_in_any_pieces_are_read_to_their_end(
        pieces in vec(vec(any::<u8>(), 0..9000), 0..20),
        prefix in vec(any::<u8>(), 0..2),
        contains in vec(any::<u8>(), 0..3),
    ) {
        let custom = custom(&prefix, &contains, Some("\\x00{2}[^a]"));
        let mut client = Client::new(&custom);
        let mut read = 0;
        for piece in &pieces {
            let progress = client.receive(piece);
            read += piece.len();
            prop_assert!(read < MAX_ANSWER || progress != Progress::More);
        }
        let end = client.end();
        prop_assert_eq!(client.end(), end);
    }
}
