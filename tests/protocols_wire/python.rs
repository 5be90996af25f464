//! MAX's bodies against Python's msgpack, lz4 and zstandard.

use blockprobe::model::observation::Stage;
use blockprobe::wire::handshake::{Handshake, Progress};
use blockprobe::wire::max::Client;
use blockprobe::wire::max::server::Server;
use blockprobe::wire::reading::Reply;

use crate::foreign::Script;

const SCRIPT: &str = include_str!("python.py");
const MODULES: [&str; 3] = ["msgpack", "lz4.block", "zstandard"];

#[test]
fn others_read_our_request_and_our_servers_answer() {
    let fields = [
        "open",
        "userAgent/deviceType",
        "userAgent/appVersion",
        "userAgent/isPwa",
    ];
    let Some(mut script) = Script::start(&MODULES, SCRIPT, &fields) else {
        return;
    };
    let hello = Client::new([1; 16]).hello();
    script.give(&hello);
    assert_eq!(
        [script.line(), script.line(), script.line()],
        ["WEB", "26.10.1", "False"]
    );

    let Reply::Answer(answer) = Server::new("RU").take(&hello) else {
        panic!("no answer");
    };
    let fields = ["open", "location", "reg-country-code"];
    let mut script = Script::start(&MODULES, SCRIPT, &fields).unwrap();
    script.give(&answer);
    assert_eq!(
        [script.line(), script.line()],
        ["RU", "['AZ', 'AM', 'KZ', 'KG']"]
    );
}

#[test]
fn we_read_what_others_pack_in_every_compression() {
    let Some(mut script) = Script::start(&MODULES, SCRIPT, &["pack"]) else {
        return;
    };
    for kind in ["plain", "LZ4", "Zstandard", "Zstandard with a checksum"] {
        let mut client = Client::new([1; 16]);
        assert_eq!(client.receive(&script.bytes()), Progress::Done, "{kind}");
        let told = client.told();
        assert_eq!(
            (told.stage, told.said("location")),
            (Stage::Bound, Some("RU")),
            "{kind}: {told:?}"
        );
    }
}
