//! Protocols that a file describes itself: what they become, and every mistake one can make in them.

use blockprobe::catalog::{load, schema};
use blockprobe::model::catalog::{Endpoint, Protocol};
use blockprobe::model::custom::{Custom, Octets};
use blockprobe::model::report::Measured;

use crate::TARGET;
use crate::mistakes::{complaint, refused};

/// The lines that every one of them needs.
const OVER_TCP: &str =
    "protocol = \"custom\"\nover = \"tcp\"\nports = [7]\nhosts = [\"a.example\"]\n";

/// The endpoints of a file's one service.
fn endpoints(text: &str) -> Vec<Endpoint> {
    let catalog = load("my.toml", text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    catalog.targets[0].services[0].endpoints.clone()
}

fn octets(bytes: &[u8]) -> Octets {
    Octets(bytes.to_vec())
}

#[test]
fn what_is_sent_and_expected_is_read_however_it_is_spelt() {
    let found = endpoints(&format!(
        "{TARGET}{OVER_TCP}{}",
        r#"send = { hex = "57 41 06 03" }
expect = { prefix = "+\r\n", contains = { text = "é" }, regex = '^\x00.\xff' }
"#
    ));
    let custom = Custom {
        send: octets(b"WA\x06\x03"),
        prefix: octets(b"+\r\n"),
        contains: octets("é".as_bytes()),
        regex: Some(r"^\x00.\xff".to_owned()),
    };
    assert_eq!(found[0].id, "custom_tcp://a.example:7");
    assert_eq!(found[0].protocol, Protocol::CustomTcp);
    assert_eq!(found[0].custom.as_deref(), Some(&custom));
    assert!(found[0].expect.is_anything());
}

#[test]
fn a_server_may_speak_first_and_say_anything() {
    let found = endpoints(&format!("{TARGET}{OVER_TCP}"));
    assert_eq!(found[0].custom.as_deref(), Some(&Custom::default()));
}

#[test]
fn the_example_of_the_documentation_is_right_and_fits_the_schema() {
    let text = include_str!("../../docs/definitions.md");
    let examples = text.split("```toml\n").skip(1);
    let example = examples
        .filter_map(|rest| rest.split("```").next())
        .find(|it| it.contains("custom"))
        .expect("an example");
    let found = endpoints(example);
    let protocols: Vec<Protocol> = found.iter().map(|it| it.protocol).collect();
    let all = [
        Protocol::CustomTcp,
        Protocol::CustomTls,
        Protocol::CustomUdp,
    ];
    assert_eq!(protocols, all);
    assert_eq!(found[2].custom.as_ref().unwrap().send.0.len(), 48);
    let schema = serde_json::to_value(schema()).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is valid");
    let fits = |text: &str| {
        let file: toml::Table = text.parse().expect("the file is TOML");
        validator.is_valid(&serde_json::to_value(file).expect("the file has a JSON form"))
    };
    assert!(fits(example));
    for (right, wrong) in [
        ("over = \"tcp\"", "over = \"sctp\""),
        ("\"custom\"", "\"custom_tcp\""),
        ("{ hex = \"23 00", "{ hex = \"2 00"),
    ] {
        assert!(example.contains(right));
        assert!(!fits(&example.replace(right, wrong)), "{wrong}");
    }
}

#[test]
fn a_saved_report_keeps_what_was_expected() {
    let text = format!("{TARGET}{OVER_TCP}send = \"PING\"\nexpect = {{ prefix = \"+\" }}\n");
    let catalog = load("my.toml", text.as_bytes()).unwrap();
    let saved = serde_json::to_string(&Measured::of(&catalog, &[])).unwrap();
    assert!(saved.contains(r#""custom":{"send":"50494e47","prefix":"2b"}"#));
    let read: Measured = serde_json::from_str(&saved).unwrap();
    let (again, _) = read.into_catalog(catalog.definitions.clone());
    assert_eq!(again.targets, catalog.targets);
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let text =
        format!("{TARGET}{OVER_TCP}send = {{ hex = \"57 4\" }}\nexpect = {{ regex = '(' }}\n");
    insta::assert_snapshot!(complaint(&text), @r#"
    error: `send`: `57 4` has an odd number of digits
      --> my.toml:12:16
        |
     12 | send = { hex = "57 4" }
        |                ^^^^^^
    hint: write two digits for each byte: `57 41 06 03`

    error: `regex` is not valid: unclosed group
      --> my.toml:13:20
        |
     13 | expect = { regex = '(' }
        |                    ^^^
    hint: it reads bytes: `\xff`, `[0-9]`, `\+OK`; quote it with `'`
    "#);
}

#[test]
fn bytes_and_expressions_are_checked() {
    let long = format!("send = \"{}\"", "a".repeat(4097));
    let regex = format!("expect = {{ regex = '{}' }}", "a".repeat(1025));
    for (line, words) in [
        ("send = \"\"", "leave it out where the server speaks first"),
        ("send = { hex = \" \" }", "`send` has no bytes"),
        (
            "send = { hex = \"0x57\" }",
            "other than 0-9, a-f and spaces",
        ),
        (
            "send = { hex = \"57\", text = \"W\" }",
            "both `hex` and `text`",
        ),
        ("send = {}", "neither `hex` nor `text`"),
        ("send = { hx = \"57\" }", "did you mean `hex`?"),
        ("send = 57", "`send` should be"),
        (&long, "`send` is 4097 bytes long, and at most 4096"),
        ("expect = { prefix = \"\" }", "any byte is right"),
        ("expect = { contains = {} }", "`contains` has neither"),
        ("expect = { regex = '' }", "`regex` is empty"),
        ("expect = { regex = 'a$' }", "leave out `$`"),
        (
            "expect = { regex = '((a{99}){99}){99}' }",
            "repeat fewer times",
        ),
        (&regex, "`regex` is 1025 bytes long"),
        (
            "expect = { status = [200] }",
            "`custom` is not judged by an HTTP answer",
        ),
        (
            "expect = { private_root = \"x\" }",
            "`custom` does not speak TLS",
        ),
        ("path = \"/x\"", "`custom` has no request path"),
        ("alpn = [\"h2\"]", "`custom` does not speak TLS"),
    ] {
        refused(&format!("{OVER_TCP}{line}\n"), &["my.toml:12:", words]);
    }
}

#[test]
fn what_it_goes_over_has_to_be_known() {
    let custom = "protocol = \"custom\"\nhosts = [\"a.example\"]\n";
    refused(
        &format!("{custom}ports = [7]\n"),
        &["`over` is missing", "write `over = \"tcp\"`"],
    );
    refused(
        &format!("{custom}ports = [7]\nover = \"sctp\"\n"),
        &["unknown transport `sctp`", "`tcp`"],
    );
    // And nothing else is blamed meanwhile.
    let bytes = "expect = { contains = { hex = \"41\" } }";
    let told = complaint(&format!("{TARGET}{custom}ports = [7]\n{bytes}\n"));
    assert_eq!(told.matches("my.toml:").count(), 1, "{told}");
    refused(
        &format!("{custom}over = \"tls\"\n"),
        &["`ports` is missing: `custom` has no usual port"],
    );
    refused(
        &format!("{custom}ports = [7]\nover = \"udp\"\n"),
        &["`send` is missing: over UDP nobody speaks first but us"],
    );
    let long = "a".repeat(1201);
    refused(
        &format!("{custom}ports = [7]\nover = \"udp\"\nsend = \"{long}\"\n"),
        &["at most 1200 are allowed"],
    );
}

#[test]
fn other_protocols_are_not_described_and_controls_are_none_of_these() {
    for (line, words) in [
        ("over = \"tcp\"", "`over` means nothing here: `tls`"),
        ("send = \"x\"", "`send` means nothing here: `tls`"),
        (
            "expect = { prefix = \"x\" }",
            "`prefix` means nothing here: `tls`",
        ),
        (
            "expect = { regex = 'x' }",
            "`regex` means nothing here: `tls`",
        ),
    ] {
        let text = format!("protocol = \"tls\"\nhosts = [\"a.example\"]\n{line}\n");
        refused(&text, &["my.toml:10:", words, "leave it out"]);
    }
    refused(
        "protocol = \"https\"\nhosts = [\"a.example\"]\nexpect = { contains = { hex = \"41\" } }\n",
        &["`contains` should be a text"],
    );
    let control = "[[control]]\nid = \"c\"\noperator = \"c\"\nregion = \"foreign\"\nprotocol = \"custom\"\nhost = \"c.example\"\n";
    let complaint = complaint(&format!("{TARGET}{OVER_TCP}{control}"));
    assert!(
        complaint.contains("a control cannot speak `custom`"),
        "{complaint}"
    );
}
