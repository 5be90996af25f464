//! A protocol of one's own, from a file of one's own: it works, it is not what it should be, and it is kept from passing.

use std::process::Command;

use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Operation, Stage};
use blockprobe::model::report::{Regime, Report, Status};

use crate::means::play;
use crate::played::Played;
use crate::scene::Scene;

/// Answers `PING` as Redis does, and anything else with an error.
const SERVER: &str = r#"
import asyncio

async def serve(reader, writer):
    while told := await reader.read(4096):
        writer.write(b"+PONG\r\n" if told == b"PING\r\n" else b"-ERR unknown command\r\n")
        await writer.drain()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", 6379)
    print("serving", flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

const DEFINITIONS: &str = r#"
[[target]]
id = "store"
name = "A store of one's own"

[[target.service]]
id = "ping"
essential = true

[[target.service.endpoint]]
protocol = "custom"
over = "tcp"
addresses = ["93.184.215.14", "93.184.215.15"]
ports = [6379]
send = "PING\r\n"
expect = { prefix = { hex = "2b" }, contains = "PONG", regex = '^\+[A-Z]+\r\n' }

[[target]]
id = "other"
name = "Another protocol than the server's"

[[target.service]]
id = "hello"
essential = true

[[target.service.endpoint]]
protocol = "custom"
over = "tcp"
addresses = ["93.184.215.16"]
ports = [6379]
send = { text = "HELLO\r\n" }
expect = { prefix = "+HELLO" }
"#;

fn scene(name: &'static str) -> Scene {
    Scene {
        name,
        definitions: DEFINITIONS,
        own_server: SERVER,
        ..Scene::default()
    }
}

/// How far the first exchange on behalf of a target went.
fn stage(played: &Played, target: &str) -> Option<Stage> {
    let mut all = played.observations(target);
    let step = all.find_map(|it| it.step(Operation::Exchange))?;
    Some(step.exchange.as_deref()?.stage)
}

/// What `analyze` says of the report.
fn judged_again(played: &Played) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json");
    let report = serde_json::to_string(&played.report).expect("a report is JSON");
    std::fs::write(&path, report).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_blockprobe"))
        .args(["analyze", "-f", "json"])
        .arg(&path)
        .output()
        .expect("the command starts");
    let reports: Vec<Report> = serde_json::from_slice(&output.stdout).expect("an array");
    reports.into_iter().next().expect("a report")
}

#[test]
fn a_protocol_of_ones_own_works_and_another_answer_is_told() {
    play(|| {
        let played = scene("described").play();
        played.expect_line(Regime::Open, 0);
        played.expect_accessible(&["store"]);
        assert_eq!(stage(&played, "store"), Some(Stage::Bound));
        played.expect("other", Status::Inconclusive, &[]);
        let failed = played.observations("other").find_map(|it| it.failure());
        let unexpected = "the answer is not what the definitions expect".to_owned();
        assert_eq!(failed, Some(&Failure::Unknown(unexpected)));
    });
}

#[test]
fn its_first_message_torn_down_on_the_way_is_named() {
    play(|| {
        let played = Scene {
            router: "iptables -A FORWARD -p tcp -m string --string PING --algo bm \
                -j REJECT --reject-with tcp-reset"
                .to_owned(),
            ..scene("described_reset")
        }
        .play();
        played.expect_line(Regime::Open, 0).expect_confirmed(
            "store",
            Status::Blocked,
            &["protocol/reset"],
        );
        assert_eq!(judged_again(&played), played.report);
    });
}
