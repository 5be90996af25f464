//! Bodies of HTTP answers, compressed in each way that is opened. The first byte chooses.
#![no_main]

use blockprobe::measure::limits::Limits;
use blockprobe::measure::page::{Page, Privacy, title};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let encoding = ["identity", "gzip", "deflate"][usize::from(choice % 3)];
    let head = http::Response::builder().header("content-encoding", encoding);
    // A place to go to is a header that is taken apart.
    let head = match http::HeaderValue::from_bytes(bytes) {
        Ok(value) => head.header("location", value),
        Err(_) => head,
    };
    let limits = Limits::default();
    let mut page = Page::new(Some("needle".to_owned()), Privacy::default(), &limits);
    page.begin(head.body(()).unwrap().into_parts().0);
    let _ = page.read(bytes);
    let facts = page.facts().unwrap();
    assert!(facts.body.is_none_or(|body| body.len() <= limits.http_text));
    let _ = title(bytes);
});
