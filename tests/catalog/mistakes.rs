//! Every mistake one can make in a definitions file, told with line, column, caret and what to do.

use blockprobe::catalog::load;

use crate::TARGET;

/// Everything that is said about a wrong file.
pub fn complaint(text: &str) -> String {
    load("my.toml", text.as_bytes())
        .expect_err("the file is wrong")
        .to_string()
}

/// Asserts that an endpoint with these lines is refused with these words.
#[track_caller]
pub fn refused(endpoint: &str, words: &[&str]) {
    let complaint = complaint(&format!("{TARGET}{endpoint}"));
    for word in words {
        assert!(complaint.contains(word), "{word:?} is not in:\n{complaint}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_shown_at_once() {
    let text = r#"
[[target]]
id = "t"
name = "T"
[[target.service]]
id = "s"
esential = true
[[target.service.endpoint]]
protocol = "htps"
hosts = ["example.org", "1.2.3.4"]
ports = [443, 70000]
"#;
    insta::assert_snapshot!(complaint(text), @r#"
    error: unknown key `esential` in a service
      --> my.toml:7:1
       |
     7 | esential = true
       | ^^^^^^^^
    hint: did you mean `essential`?

    error: unknown protocol `htps`
      --> my.toml:9:12
       |
     9 | protocol = "htps"
       |            ^^^^^^
    hint: did you mean `https`?

    error: `1.2.3.4` is no host name: it is an address
      --> my.toml:10:25
        |
     10 | hosts = ["example.org", "1.2.3.4"]
        |                         ^^^^^^^^^
    hint: put it into `addresses`

    error: port 70000 is not between 1 and 65535
      --> my.toml:11:15
        |
     11 | ports = [443, 70000]
        |               ^^^^^
    "#);
}

#[test]
fn broken_syntax_does_not_hide_the_other_mistakes() {
    insta::assert_snapshot!(complaint("[[target]]\nid = \"T\"\nname = yes\n[[target.service]]\n"), @r#"
    error: id `T` has characters other than a-z, 0-9, `_` and `-`
      --> my.toml:2:6
       |
     2 | id = "T"
       |      ^^^
    hint: for instance `t`

    error: not valid TOML: string values must be quoted, expected literal string
      --> my.toml:3:8
       |
     3 | name = yes
       |        ^^^
    "#);
}

#[test]
fn what_the_system_would_take_for_an_address_is_no_host() {
    for host in ["0x7f000001", "0xc0a80001", "example.0x1", "0x"] {
        refused(
            &format!("protocol = \"https\"\nhosts = [\"{host}\"]"),
            &["my.toml:9:10\n", "is no host name: it ends in a number"],
        );
    }
    for host in ["xn--999999999", "www.xn--a.example"] {
        refused(
            &format!("protocol = \"https\"\nhosts = [\"{host}\"]"),
            &["my.toml:9:10\n", "is not punycode"],
        );
    }
    let sound = "protocol = \"https\"\nhosts = [\"xn--d1acufc.xn--p1ai\", \"0x0.st\", \"_a.xn--mnchen-3ya.de\"]";
    load("my.toml", format!("{TARGET}{sound}").as_bytes()).expect("these are names");
}

#[test]
fn ipv6_addresses_that_stand_for_ipv4_are_refused() {
    for (address, words) in [
        ("::127.0.0.1", "write `127.0.0.1`"),
        ("64:ff9b::7f00:1", "write `127.0.0.1`"),
        ("2002:7f00:1::1", "write `127.0.0.1`"),
        ("64:ff9b::808:808", "write `8.8.8.8`"),
        ("0.1.2.3", "0.0.0.0/8"),
        ("::ffff:0.1.2.3", "0.0.0.0/8"),
    ] {
        refused(
            &format!("protocol = \"https\"\naddresses = [\"{address}\"]"),
            &["my.toml:9:14\n", words],
        );
    }
}

#[test]
fn a_name_has_no_character_that_is_not_seen() {
    for hidden in ["\u{202e}", "\u{200b}", "\u{200f}", "\u{ad}"] {
        let text = TARGET.replacen("name = \"", &format!("name = \"{hidden}"), 1);
        assert_ne!(text, TARGET);
        let told = complaint(&format!(
            "{text}protocol = \"https\"\nhosts = [\"example.org\"]"
        ));
        assert!(
            told.contains("`name` has the character U+") && told.contains(":4:8\n"),
            "{told}"
        );
        assert!(!told.contains(hidden), "{told}");
    }
}

#[test]
fn hosts_are_checked() {
    for (host, words) in [
        ("", "it is empty"),
        ("пример.рф", "punycode"),
        ("https://a.example/", "it is a URL"),
        ("a.example:443", "`ports`"),
        ("192.0.2.1", "put it into `addresses`"),
        ("2001:db8::1", "put it into `addresses`"),
        ("*.example", "wildcard"),
        ("a..example", "empty label"),
        ("a.example.", "empty label"),
        ("-a.example", "begins or ends"),
        ("a b.example", "characters other than"),
        ("a.1", "ends in a number"),
        ("localhost", "this machine"),
    ] {
        refused(
            &format!("protocol = \"tls\"\nhosts = [\"{host}\"]\n"),
            &["--> my.toml:9:10\n", words, "^"],
        );
    }
    let label = "a".repeat(64);
    refused(
        &format!("protocol = \"tls\"\nhosts = [\"{label}.example\"]\n"),
        &["longer than 63"],
    );
    let host = vec!["a".repeat(60); 5].join(".");
    refused(
        &format!("protocol = \"tls\"\nhosts = [\"{host}\"]\n"),
        &["longer than 253"],
    );
}

#[test]
fn addresses_are_checked() {
    for (address, words) in [
        ("127.0.0.1", "this machine"),
        ("::1", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("255.255.255.255", "broadcast"),
        ("192.0.2.0/24", "single addresses"),
        ("192.0.2.1:80", "without brackets and port"),
        ("fe80::1%eth0", "zone"),
        ("a.example", "goes into `hosts`"),
        ("300.0.0.1", "no IPv4 or IPv6 address"),
    ] {
        refused(
            &format!("protocol = \"tls\"\naddresses = [\"{address}\"]\n"),
            &["--> my.toml:9:14\n", words, "^"],
        );
    }
}

#[test]
fn ports_are_checked() {
    for port in ["0", "-1", "65536", "99999999999999999999"] {
        refused(
            &format!("protocol = \"tls\"\nhosts = [\"a.example\"]\nports = [{port}]\n"),
            &["error: port", "--> my.toml:10:10\n"],
        );
    }
    refused(
        "protocol = \"tcp\"\nhosts = [\"a.example\"]\n",
        &["`ports` is missing: `tcp` has no usual port"],
    );
    refused(
        "protocol = \"tls\"\nhosts = [\"a.example\"]\nports = 443\n",
        &["should be a list", "`ports = [...]`"],
    );
    refused(
        "protocol = \"tls\"\nhosts = [\"a.example\"]\nports = [\"443\"]\n",
        &["quotation marks out"],
    );
}

#[test]
fn what_others_stand_in_for_is_not_essential() {
    let both = TARGET.replace(
        "id = \"s\"",
        "id = \"s\"\nessential = true\nalternative = true",
    );
    let endpoint = "protocol = \"quic\"\nhosts = [\"a.example\"]\n";
    let complaint = complaint(&format!("{both}{endpoint}"));
    assert!(
        complaint.contains("is not essential") && complaint.contains("leave out"),
        "{complaint}"
    );
}

#[test]
fn a_path_over_quic_is_an_endpoints_and_not_a_controls() {
    let endpoint = "protocol = \"quic\"\nhosts = [\"a.example\"]\npath = \"/p\"\n";
    let text = format!("{TARGET}{endpoint}");
    let catalog = load("my.toml", text.as_bytes()).unwrap();
    let endpoints = &catalog.targets[0].services[0].endpoints;
    assert_eq!(endpoints[0].id, "quic://a.example:443/p");
    let control = "[[control]]\nid = \"c\"\noperator = \"o\"\nregion = \"foreign\"\nprotocol = \"quic\"\nhost = \"c.example\"\npath = \"/p\"\n";
    let complaint = complaint(&format!("{TARGET}{endpoint}{control}"));
    assert!(
        complaint.contains("`path` means nothing here"),
        "{complaint}"
    );
}

#[test]
fn keys_that_mean_nothing_to_a_protocol_are_refused() {
    refused(
        "protocol = \"tls\"\nhosts = [\"a.example\"]\npath = \"/\"\n",
        &["`path` means nothing here"],
    );
    refused(
        "protocol = \"http\"\nhosts = [\"a.example\"]\nalpn = [\"h2\"]\n",
        &["`alpn` means nothing here"],
    );
    refused(
        "protocol = \"http\"\nhosts = [\"a.example\"]\nserver_name = \"b.example\"\n",
        &["does not speak TLS"],
    );
    refused(
        "protocol = \"tls\"\nhosts = [\"a.example\"]\nexpect = { status = [200] }\n",
        &["`status` means nothing"],
    );
}

#[test]
fn texts_that_go_on_the_wire_are_checked() {
    for (line, words) in [
        ("path = \"x\"", "does not begin with `/`"),
        ("path = \"/a b\"", "percent-encode"),
        ("path = \"/\\u0000\"", "percent-encode"),
        ("path = \"/ж\"", "percent-encode"),
        ("path = \"/#a\"", "fragment"),
        ("alpn = [\"\"]", "1 to 255"),
        ("alpn = [\"h2\\n\"]", "1 to 255"),
        ("server_name = \"ж\"", "punycode"),
        ("expect = { status = [99] }", "between 100 and 599"),
        ("expect = { title = \"\\u001b[2J\" }", "control characters"),
        ("expect = { contains = \"\" }", "is empty"),
        ("expect = { alpn = \"ж\" }", "1 to 255"),
        (
            "expect = { private_root = \"aple\" }",
            "did you mean `apple`?",
        ),
        (
            "expect = { private_root = \"zzzzzzz\" }",
            "known are: `apple`, `russian_trusted_ca`",
        ),
    ] {
        refused(
            &format!("protocol = \"https\"\nhosts = [\"a.example\"]\n{line}\n"),
            &["my.toml:10:", words],
        );
    }
    refused(
        "protocol = \"https\"\nhosts = [\"a.example\"]\nexpect = { noise_root = \"\" }\n",
        &["my.toml:10:", "`https` has no Noise key"],
    );
    let key = "0123456789abcdef".repeat(4);
    let spaced = format!("0x{} {}", &key[..32], &key[32..]);
    for (wrong, words) in [
        (&key[..62], "has 62 digits".to_owned()),
        (&key.replace('f', "g"), "characters other than".to_owned()),
        (&spaced, format!("hint: write `{key}`")),
    ] {
        refused(
            &format!(
                "protocol = \"whatsapp_noise\"\nhosts = [\"a.example\"]\nexpect = {{ noise_root = \"{wrong}\" }}\n"
            ),
            &["my.toml:10:", &words],
        );
    }
    let long = "x".repeat(5000);
    let line = format!(
        "protocol = \"https\"\nhosts = [\"a.example\"]\nexpect = {{ body = \"{long}\" }}\n"
    );
    refused(&line, &["`body` is 5000 bytes long"]);
}

#[test]
fn ids_are_checked() {
    let named = |id: &str| complaint(&format!("[[target]]\nid = \"{id}\"\nname = \"T\"\n"));
    assert!(named("My App").contains("for instance `my_app`"));
    assert!(named("").contains("is empty"));
    assert!(named(&"a".repeat(65)).contains("longer than 64"));
    assert!(named("ж").contains("characters other than"));
}

#[test]
fn nothing_may_be_there_twice() {
    let endpoint = "protocol = \"tls\"\nhosts = [\"a.example\"]\n";
    refused(
        &format!(
            "{endpoint}[[target.service]]\nid = \"z\"\n[[target.service.endpoint]]\n{endpoint}"
        ),
        &[
            "error: endpoint `tls://a.example:443` is here twice: service `s` has it",
            "--> my.toml:14:10\n",
        ],
    );
    refused(
        &format!("{endpoint}[[target.service]]\nid = \"s\"\n"),
        &["a service `s` is already defined"],
    );
    refused(
        "protocol = \"tls\"\nhosts = [\"a.example\", \"A.example\"]\n",
        &["is here twice"],
    );
    refused(
        &format!("{endpoint}{TARGET}{endpoint}"),
        &["a target `t` is already defined"],
    );
    let taken = format!("include = \"default\"\n{TARGET}{endpoint}").replace("\"t\"", "\"max\"");
    assert!(complaint(&taken).contains("a target `max` is already defined"));
}

#[test]
fn what_is_empty_is_told() {
    assert!(complaint("").contains("the file defines no target"));
    assert!(
        complaint("[[target]]\nid = \"t\"\nname = \"T\"\n").contains("the target has no service")
    );
    let text = "[[target]]\nid = \"t\"\nname = \"T\"\n[[target.service]]\nid = \"s\"\n";
    assert!(complaint(text).contains("the service has no endpoint\n  --> my.toml:4:1\n"));
    refused(
        "protocol = \"tls\"\n",
        &[
            "error: the endpoint has no host and no address",
            "--> my.toml:7:1\n",
        ],
    );
    refused(
        "protocol = \"tls\"\nhosts = []\n",
        &["the endpoint has no host and no address"],
    );
    refused(
        "hosts = [\"a.example\"]\n",
        &["`protocol` is missing in an endpoint"],
    );
}

#[test]
fn a_misspelt_key_is_not_also_missing() {
    let complaint = complaint(&format!(
        "{TARGET}protcol = \"tls\"\nhost = [\"a.example\"]\n"
    ));
    assert!(
        complaint.contains("did you mean `protocol`?"),
        "{complaint}"
    );
    assert!(complaint.contains("did you mean `hosts`?"), "{complaint}");
    assert!(
        !complaint.contains("missing") && !complaint.contains("no host"),
        "{complaint}"
    );
}

#[test]
fn a_single_bracket_is_explained() {
    let complaint = complaint("[target]\nid = \"t\"\n");
    assert!(
        complaint.contains("`target` should be an array of tables"),
        "{complaint}"
    );
    assert!(
        complaint.contains("write `[[target]]` with two brackets"),
        "{complaint}"
    );
}

#[test]
fn a_target_is_not_called_like_the_ground() {
    let complaint = complaint(&TARGET.replacen("id = \"t\"", "id = \"ground\"", 1));
    let words = "`ground` is what a report calls the controls and resolvers";
    assert!(complaint.contains(words), "{complaint}");
}

#[test]
fn controls_and_resolvers_are_checked() {
    let text = r#"include = "default"
[[control]]
id = "c"
operator = "o"
region = "abroad"
protocol = "turn"
[[resolver]]
id = "system"
operator = "o"
role = "system"
region = "foreign"
addresses = []
transports = ["dot", "udpp"]
path = "/x"
[[resolver]]
id = "r"
operator = "o"
role = "public"
region = "foreign"
addresses = ["192.0.2.1", "192.0.2.1"]
transports = ["udp"]
[[resolver]]
id = "r"
operator = "p"
role = "public"
region = "foreign"
addresses = ["192.0.2.2"]
transports = ["udp"]
"#;
    let complaint = complaint(text);
    for words in [
        "error: unknown region `abroad`",
        "error: a control cannot speak `turn`",
        "error: `host` is missing in a control",
        "error: `system` is the name of",
        "known are: `public`, `national`, `decoy`",
        "error: `addresses` is empty",
        "`dot` needs the name",
        "did you mean `udp`?",
        "error: `path` means nothing here",
        "resolver `r/udp/192.0.2.1` is already defined",
        "error: resolver `r` has another operator",
        "--> my.toml:5:10\n",
        "--> my.toml:6:12\n",
        "--> my.toml:2:1\n",
        "--> my.toml:8:6\n",
        "--> my.toml:12:13\n",
        "--> my.toml:14:8\n",
        "--> my.toml:22:1\n",
    ] {
        assert!(
            complaint.contains(words),
            "{words:?} is not in:\n{complaint}"
        );
    }
}

#[test]
fn certificates_are_checked() {
    let key = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n";
    let rubbish = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n";
    for (pem, words) in [
        ("no", "not a certificate"),
        (key, "not a certificate"),
        (rubbish, "not the X.509 certificate"),
    ] {
        let text = format!(
            "include = \"default\"\n[[private_root]]\nid = \"r\"\nname = \"R\"\ncertificates = [\"{pem}\"]\n"
        );
        let complaint = complaint(&text);
        assert!(complaint.contains(words), "{complaint}");
    }
}

#[test]
fn a_server_certificate_is_no_root() {
    let leaf = rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate");
    let pem = leaf.cert.pem();
    let complaint = complaint(&format!(
        "include = \"default\"\n[[private_root]]\nid = \"r\"\nname = \"R\"\ncertificates = [\"\"\"\n{pem}\"\"\"]\n"
    ));
    let words = "not the X.509 certificate of a certification authority";
    assert!(complaint.contains(words), "{complaint}");
}

#[test]
fn what_is_not_utf_8_is_told_with_its_place() {
    let errors = load("my.toml", b"[[target]]\nid = \"\xff\"\n").expect_err("not UTF-8");
    let shown = errors.to_string();
    assert!(
        shown.contains("not UTF-8: byte 0xff at offset 17\n  --> my.toml:2:7\n"),
        "{shown}"
    );
}

#[test]
fn what_stands_under_a_misspelt_header_is_not_also_missing() {
    for text in ["[[targets]]\nid = \"t\"\n", "[target]\nid = \"t\"\n"] {
        let complaint = complaint(text);
        assert!(!complaint.contains("no target"), "{complaint}");
    }
}

#[test]
fn a_line_feed_in_a_name_begins_no_line_on_the_screen() {
    let text =
        format!("{TARGET}protocol = \"https\"\nhosts = [\"a.example\\r\\nerror: all is well\"]\n");
    let shown = complaint(&text);
    assert!(
        shown.contains("a.example\\r\\nerror: all is well"),
        "{shown}"
    );
    assert_eq!(
        shown
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count(),
        1,
        "{shown}"
    );
}
