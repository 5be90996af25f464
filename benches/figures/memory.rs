//! Peak resident memory of whole processes: `run --lab open`, lab and product in one; the product alone on the open line,
//! and before every server that means harm.
//!
//! What the kernel says of a child includes what its parent held when it was made, so every process that is measured is
//! the only child of a small one: this program again, with the words below.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::Ipv6Addr;
use std::process::{Command, Stdio};

use blockprobe::catalog;
use blockprobe::lab::atlas::Atlas;
use blockprobe::lab::ports::PortMap;
use blockprobe::lab::rewrite;
use blockprobe::lab::scenarios::HOSTILE;
use blockprobe::model::catalog::Catalog;
use blockprobe::model::line::Line;
use blockprobe::output::Sink;
use blockprobe::output::destination::Destination;
use blockprobe::output::human::{Detail, Human, Manner};
use blockprobe::output::json::Json;
use blockprobe::output::ndjson::Ndjson;
use blockprobe::output::scrub::Scrubbed;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::distance::{self, Distant, Silence};
use crate::run;
use crate::table::{self, Figures};

/// Runs the program named after it and prints its peak, in KiB.
const WEIGH: &str = "--weigh";
/// Measures a lab that stands in another process, and nothing else.
const ALONE: &str = "--alone";
/// How often each is run.
const TIMES: usize = 5;
const FORMATS: [&str; 3] = ["human", "json", "ndjson"];

/// Prints the table.
pub fn print() {
    table::title("memory: peak resident set of the whole process");
    for format in FORMATS {
        let program = [
            env!("CARGO_BIN_EXE_blockprobe"),
            "run",
            "--lab",
            "open",
            "-f",
            format,
        ];
        let what = format!("run --lab open -f {format}, the lab inside");
        table::row(&what, &peak(&program, "", TIMES), "MB", "budget 40 MB");
    }
    let itself = std::env::current_exe().expect("this program has a path");
    let itself = itself.to_str().expect("and it is text");
    let alone = |lab: &Distant, scenario: &str, format: &str, times| {
        let map = serde_json::to_string(&Map::of(lab)).expect("plain words");
        peak(&[itself, ALONE, scenario, format], &map, times)
    };
    let lab = distance::open(None, Silence::Nobody);
    for format in FORMATS {
        let what = format!("the product alone, -f {format}");
        let figures = alone(&lab, "open", format, TIMES);
        table::row(&what, &figures, "MB", "budget 40 MB");
    }
    drop(lab);
    for scenario in HOSTILE {
        let lab = distance::play(scenario, None, Silence::Nobody);
        let what = format!("the product alone, {}, -f json", scenario.name);
        let figures = alone(&lab, scenario.name, "json", 1);
        table::row(&what, &figures, "MB", "budget 40 MB");
    }
    let least = peak(&[env!("CARGO_BIN_EXE_blockprobe"), "--version"], "", TIMES);
    table::row("--version, for comparison", &least, "MB", "");
}

/// Plays one of the parts in which this program measures itself, if these are its arguments.
pub fn is_assistant(arguments: &[String]) -> bool {
    match arguments {
        [word, program, rest @ ..] if word == WEIGH => weigh(program, rest),
        [word, scenario, format] if word == ALONE => alone(scenario, format),
        _ => return false,
    }
    true
}

fn peak(program: &[&str], input: &str, times: usize) -> Figures {
    let itself = std::env::current_exe().expect("this program has a path");
    let directory = std::env::temp_dir();
    let path = directory.join(format!("blockprobe-figures-{}", std::process::id()));
    let peaks = (0..times).map(|_| {
        std::fs::write(&path, input).expect("a temporary file");
        let told = Command::new(&itself)
            .arg(WEIGH)
            .args(program)
            .stdin(std::fs::File::open(&path).expect("the file just written"))
            .stderr(Stdio::inherit())
            .output()
            .expect("this program starts");
        let told = String::from_utf8_lossy(&told.stdout);
        told.trim().parse::<f64>().expect("a number of KiB") * 1024.0 / 1e6
    });
    let figures = Figures::of(peaks.collect());
    drop(std::fs::remove_file(&path));
    figures
}

fn weigh(program: &str, arguments: &[String]) {
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{program} {arguments:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    println!("{}", usage.max_rss());
}

/// What another process must know to find the lab.
#[derive(Serialize, Deserialize)]
struct Map {
    tcp: PortMap,
    udp: PortMap,
    roots: Vec<Vec<u8>>,
    private: BTreeMap<String, Vec<Vec<u8>>>,
    ipv6: bool,
}

impl Map {
    fn of(lab: &Distant) -> Self {
        let private = lab.catalog.private_roots.iter();
        Self {
            tcp: lab.tcp_ports.clone(),
            udp: lab.udp_ports.clone(),
            roots: lab.line.added_roots.clone(),
            private: private
                .map(|root| (root.id.clone(), root.certificates.clone()))
                .collect(),
            ipv6: lab.line.ipv6,
        }
    }

    fn read(self, scenario: &str) -> (Catalog, Line) {
        let embedded = catalog::embedded();
        let has_ipv6 = std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        let atlas = Atlas::new(&embedded, has_ipv6);
        let mut catalog = rewrite::catalog(&embedded, scenario, &atlas, &self.tcp, &self.udp)
            .expect("the lab's roots can be made");
        for root in &mut catalog.private_roots {
            if let Some(certificates) = self.private.get(&root.id) {
                root.certificates.clone_from(certificates);
            }
        }
        let line = Line {
            ipv4: true,
            ipv6: self.ipv6,
            playground: vec![
                "127.64.0.0/10".parse().expect("a network"),
                "::1/128".parse().expect("a network"),
            ],
            added_roots: self.roots,
            ..Line::default()
        };
        (catalog, line)
    }
}

fn alone(scenario: &str, format: &str) {
    let mut map = String::new();
    std::io::stdin()
        .read_to_string(&mut map)
        .expect("a map of the lab");
    let map: Map = serde_json::from_str(&map).expect("written by this program");
    let (catalog, line) = map.read(scenario);
    let destination = Destination::stdout();
    let told: Box<dyn Sink> = match format {
        "human" => Box::new(Human::new(
            destination,
            Manner {
                width: 100,
                colour: false,
                detail: Detail::Plain,
            },
        )),
        "json" => Box::new(Json::new(destination)),
        _ => Box::new(Ndjson::new(destination, false)),
    };
    let mut sink = Scrubbed::new(&[], told);
    let outcome = run::of(catalog, line, &mut sink);
    assert!(!outcome.interrupted);
}
