//! Replies of resolvers, of any bytes, to a question with our id or another.
#![no_main]

use blockprobe::model::check::RecordType;
use blockprobe::wire::dns::Question;
use blockprobe::wire::text::is_commanding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let question = Question {
        id: bytes.first_chunk().map_or(1, |id| u16::from_be_bytes(*id)),
        name: "web.telegram.org".to_owned(),
        record: RecordType::A,
        chaos: false,
    };
    let reply = question.decode(bytes, 0.5);
    for answer in &reply.answers {
        assert!(
            !answer
                .name
                .chars()
                .chain(answer.value.chars())
                .any(is_commanding)
        );
    }
});
