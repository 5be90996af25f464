//! Servers that tell the reader's own address in every spelling: none of them reaches the report.

use std::fmt::Write as _;

use blockprobe::model::observation::Operation;
use serde_json::Value;

use crate::means::play;
use crate::scene::Scene;
use crate::spellings;

/// Bytes of a page: all of it is kept.
const PAGE: usize = 3000;
/// Bytes of an answer in clear: no more is kept of it.
const LINE: usize = 800;

/// Serves each text at a port of its own: as a page with headers, or in clear where TLS or another protocol is due.
const SERVER: &str = r#"
import asyncio, base64, json

texts = json.loads(base64.b64decode("TEXTS"))

def page(text):
    line = text.split("\n")[0].encode().replace(b"\r", b"")
    body = ("<title>" + text.split("\n")[1] + "</title>\n" + text).encode()
    return (b"HTTP/1.1 200 OK\r\nServer: " + line + b"\r\nVia: " + line + b"\r\nConnection: close\r\n"
        b"Content-Type: text/html\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)

def server(answer):
    async def serve(reader, writer):
        await reader.read(4096)
        writer.write(answer)
        await writer.drain()
        writer.close()
    return serve

async def main():
    for port, (kind, text) in texts.items():
        answer = page(text) if kind == "page" else text.encode()
        await asyncio.start_server(server(answer), "0.0.0.0", int(port))
    print("serving", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"#;

/// The spellings, one a line, in texts of so many bytes.
fn texts(most: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    for (_, spelling) in spellings::table() {
        let last = texts.last_mut().expect("there is one");
        if last.len() + spelling.len() > most {
            texts.push(String::new());
        }
        let last = texts.last_mut().expect("there is one");
        let _ = writeln!(last, "{spelling}");
    }
    texts
}

fn scene() -> Scene {
    let mut served = serde_json::Map::new();
    let mut definitions = String::from("[[target]]\nid = \"echo\"\nname = \"Echo\"\n");
    for (kind, protocol, first, texts) in [
        ("page", "protocol = \"http\"", 8000, texts(PAGE)),
        ("clear", "protocol = \"tls\"", 8100, texts(LINE)),
        (
            "clear",
            "protocol = \"custom\"\nover = \"tcp\"\nsend = \"PING\"\nexpect = { prefix = \"+PONG\" }",
            8200,
            texts(LINE),
        ),
    ] {
        let ports: Vec<String> = (first..)
            .take(texts.len())
            .map(|port: u16| port.to_string())
            .collect();
        let _ = write!(
            definitions,
            "[[target.service]]\nid = \"s{first}\"\nessential = true\n[[target.service.endpoint]]\n{protocol}\n\
             addresses = [\"93.184.215.14\"]\nports = [{}]\n",
            ports.join(", ")
        );
        for (port, text) in ports.into_iter().zip(texts) {
            served.insert(port, serde_json::json!([kind, text]));
        }
    }
    let texts = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        Value::Object(served).to_string(),
    );
    Scene {
        name: "echoed",
        definitions: definitions.leak(),
        own_server: SERVER.replace("TEXTS", &texts).leak(),
        client: "ip address add 93.184.77.13/32 dev uplink
            ip -6 address add 2a01:db9:77:88::99/64 dev uplink nodad",
        ..Scene::default()
    }
}

fn strings(value: &Value, look: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, look)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            look(key);
            strings(value, look);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn no_spelling_of_an_own_address_that_a_server_tells_is_in_the_report() {
    play(|| {
        let played = scene().play();
        let http = played
            .observations("echo")
            .filter_map(|it| it.step(Operation::HttpRoundTrip)?.http.as_deref());
        let (mut pages, mut marks) = (0, 0);
        for facts in http {
            pages += 1;
            assert_eq!(facts.body_sha256, None, "{facts:#?}");
            let body = facts.body.as_deref().unwrap_or_default();
            marks += body.matches("[scrubbed]").count();
        }
        assert!(pages >= 3, "{pages} pages");
        assert!(marks >= 97, "{marks} marks");
        let clear = played.observations("echo").flat_map(|it| &it.steps);
        let clear = clear.filter_map(|step| {
            let tls = step
                .tls
                .as_deref()
                .and_then(|tls| tls.clear_text.as_deref());
            let exchange = step.exchange.as_deref();
            tls.or(exchange.and_then(|exchange| exchange.clear_text.as_deref()))
        });
        assert!(clear.filter(|text| text.contains("[scrubbed]")).count() >= 8);
        let report = serde_json::to_value(&played.report).expect("a report is JSON");
        let mut told = Vec::new();
        strings(&report, &mut |text| {
            for (name, spelling) in spellings::table() {
                if text.contains(&spelling) {
                    told.push(format!("{name}: {spelling} in {text}"));
                }
            }
        });
        assert!(
            told.is_empty(),
            "{} are told:\n{}",
            told.len(),
            told.join("\n")
        );
    });
}
