//! A box that reads the beginning of every connection, and what it then does to it.

use std::collections::BTreeSet;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;

use crate::lab::atlas::BLOCK_PAGE;
use crate::lab::authority::{Leaf, Signer, Validity};
use crate::lab::censor::{Censor, Lie, Sight, is_at_or_below};
use crate::lab::door::{Door, Tenant};
use crate::lab::fault::{Aim, Border, Fault};
use crate::lab::scenarios::Scenario;
use crate::lab::weather::Dice;
use crate::model::catalog::{Catalog, Protocol, Region};
use crate::model::technique::{Interference, Trigger};

/// A fatal `unrecognized_name`, as a record of TLS 1.2.
const ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

/// What a segment holds on most lines: 1500 bytes less two headers.
pub const SEGMENT: usize = 1460;

/// ClientHellos shorter than this are those of a plain library; browsers of 2026 send three times as much.
const SHORT: usize = 600;

/// Those who read the beginnings of connections in a scenario, aimed.
#[derive(Clone, Debug, Default)]
pub struct Inspector {
    rules: Vec<Rule>,
    signatures: Vec<(Protocol, Met)>,
}

#[derive(Clone, Debug)]
struct Rule {
    looks_at: LooksAt,
    met: Met,
    hosts: Vec<String>,
    sight: Sight,
    /// It acts only when these fall.
    dice: Option<Arc<Dice>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LooksAt {
    /// The name of a ClientHello, anywhere.
    ServerName,
    /// The same where the name really lives.
    ServerNameAtHome,
    /// The size of a ClientHello, where one of the names lives.
    Shape,
    /// The Host of a request in clear.
    Host,
    /// Whatever is named, unless it is one of these.
    AllButNames,
    /// Nothing: every ClientHello is met.
    Nothing,
}

/// What is done, and what a block page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// What is done.
    pub interference: Interference,
    /// How a block page is told.
    pub page: Lie,
}

/// The beginning of a connection: a ClientHello or a request.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// The host it names.
    pub name: Option<&'a str>,
    /// How long it is.
    pub length: usize,
    /// How much of it came in the first segment.
    pub first: usize,
    /// It is a ClientHello and no request.
    pub is_tls: bool,
}

impl Inspector {
    /// Those of the scenario that read connections.
    pub fn new(scenario: &Scenario, catalog: &Catalog) -> Self {
        let censors = scenario.censors.iter();
        let censors = censors.filter_map(|censor| rule_of(censor, catalog));
        let faults = scenario.faults.iter();
        let faults = faults.filter_map(|fault| rule_of_fault(*fault, catalog));
        Self {
            rules: censors.chain(faults).collect(),
            signatures: signatures(scenario, catalog),
        }
    }

    /// What is done to a connection in clear whose first bytes are an app's own, wherever it leads.
    pub fn signature(&self, first: &[u8]) -> Option<Met> {
        let is_begun = |protocol: Protocol| match protocol {
            Protocol::WhatsappNoise => first.starts_with(b"WA\x06"),
            Protocol::MtprotoAbridged => first.starts_with(&[0xef]),
            Protocol::MtprotoIntermediate => first.starts_with(&[0xee; 4]),
            Protocol::MtprotoHttp => first.starts_with(b"POST /api"),
            _ => false,
        };
        let mut known = self.signatures.iter();
        known
            .find(|(protocol, _)| is_begun(*protocol))
            .map(|(_, met)| *met)
    }

    /// Whether datagrams with STUN's magic cookie are dropped, wherever they lead.
    pub fn knows_stun(&self) -> bool {
        let mut known = self.signatures.iter();
        known.any(|(protocol, _)| *protocol == Protocol::Stun)
    }

    /// Whether anybody reads requests in clear.
    pub fn reads_requests(&self) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|rule| matches!(rule.looks_at, LooksAt::Host | LooksAt::AllButNames))
    }

    /// What is done to a connection that begins so at this door.
    pub fn verdict(&self, door: &Door, begun: Beginning) -> Option<Met> {
        let mut rules = self.rules.iter();
        let rule = rules.find(|rule| rule.is_hit(door, begun))?;
        Some(rule.met)
    }
}

impl Rule {
    fn is_hit(&self, door: &Door, begun: Beginning) -> bool {
        let listed = |name: Option<&str>| {
            name.is_some_and(|name| self.hosts.iter().any(|host| is_at_or_below(name, host)))
        };
        let mut tenants = door.endpoints.iter().filter_map(Tenant::name);
        let mut lives_here = || tenants.any(|tenant| listed(Some(tenant)));
        if self.sight == Sight::FirstSegment && begun.first.min(SEGMENT) < begun.length {
            return false;
        }
        let is_seen = match self.looks_at {
            LooksAt::ServerName => begun.is_tls && listed(begun.name),
            LooksAt::ServerNameAtHome => begun.is_tls && listed(begun.name) && lives_here(),
            LooksAt::Shape => begun.is_tls && begun.length < SHORT && lives_here(),
            LooksAt::Host => !begun.is_tls && listed(begun.name),
            LooksAt::AllButNames => begun.name.is_some() && !listed(begun.name),
            LooksAt::Nothing => begun.is_tls,
        };
        is_seen && self.dice.as_ref().is_none_or(|dice| dice.fall())
    }
}

/// The protocols in clear of the endpoints aimed at, by their first bytes.
fn signatures(scenario: &Scenario, catalog: &Catalog) -> Vec<(Protocol, Met)> {
    let censors = scenario.censors.iter();
    let by_bytes = censors.filter(|it| it.technique.trigger == Trigger::Protocol);
    by_bytes
        .flat_map(|censor| {
            let met = Met {
                interference: censor.technique.interference,
                page: censor.lie,
            };
            let aimed = censor.names.endpoints(catalog);
            let protocols: BTreeSet<Protocol> = aimed.iter().map(|it| it.protocol).collect();
            protocols.into_iter().map(move |protocol| (protocol, met))
        })
        .collect()
}

fn rule_of(censor: &Censor, catalog: &Catalog) -> Option<Rule> {
    let looks_at = match censor.technique.trigger {
        Trigger::ServerName => LooksAt::ServerName,
        Trigger::ServerNameAtAddress => LooksAt::ServerNameAtHome,
        Trigger::TlsFingerprint => LooksAt::Shape,
        Trigger::HttpHost => LooksAt::Host,
        _ => return None,
    };
    Some(Rule {
        looks_at,
        met: Met {
            interference: censor.technique.interference,
            page: censor.lie,
        },
        hosts: censor.names.hosts(catalog),
        sight: censor.sight,
        dice: None,
    })
}

fn rule_of_fault(fault: Fault, catalog: &Catalog) -> Option<Rule> {
    let (looks_at, interference, hosts) = match fault {
        Fault::Interception => (LooksAt::Nothing, Interference::Intercept, Vec::new()),
        Fault::Strays(interference, ..) => (LooksAt::Nothing, interference, Vec::new()),
        Fault::Border(Border::Names(met)) => {
            let foreign = Aim::Foreign.hosts(catalog);
            let mut hosts = Aim::Everybody.hosts(catalog);
            hosts.retain(|host| !foreign.contains(host));
            let resolvers = catalog.resolvers.iter();
            let domestic = resolvers.filter(|it| it.region == Region::Domestic);
            hosts.extend(domestic.filter_map(|it| it.server_name.clone()));
            (LooksAt::AllButNames, met, hosts)
        }
        _ => return None,
    };
    let dice = match fault {
        Fault::Strays(_, percent, seed) => Some(Arc::new(Dice::new(percent, seed))),
        _ => None,
    };
    Some(Rule {
        looks_at,
        met: Met {
            interference,
            page: Lie::BlockPage,
        },
        hosts,
        sight: Sight::Whole,
        dice,
    })
}

/// The certificate a box in the middle shows.
pub fn impostor(name: &str) -> Leaf {
    Leaf {
        signer: Signer::Private("inspection".to_owned()),
        name: name.to_owned(),
        validity: Validity::Lasting,
    }
}

/// Does it to a handshake. `Intercept` goes on with the box's own certificate.
pub async fn interfere(
    met: Met,
    start: StartHandshake<BufReader<TcpStream>>,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    if met.interference != Interference::Intercept {
        return end(met, start.io.into_inner()).await;
    }
    let mut stream = start.into_stream(config).await?;
    let mut bytes = [0; 512];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

/// Ends a connection so.
pub async fn end(met: Met, mut stream: TcpStream) -> io::Result<()> {
    match met.interference {
        Interference::Reset => SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
        Interference::Close => stream.shutdown().await,
        Interference::Alert => {
            stream.write_all(&ALERT).await?;
            stream.shutdown().await
        }
        Interference::Blockpage => {
            stream.write_all(page(met.page).as_bytes()).await?;
            stream.shutdown().await
        }
        // Held open for as long as the site lives: the connection hears nothing more.
        _ => pending().await,
    }
}

/// The host that a request in clear names, in lower case and without the port.
pub fn host_of(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value)
    })?;
    let name = value.trim();
    let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
    Some(name.to_ascii_lowercase())
}

/// A whole answer of the censor's.
fn page(page: Lie) -> String {
    let body = "<html><head><title>Access restricted</title></head><body>This resource is blocked by order of the authority</body></html>";
    let (status, location) = match page {
        Lie::Redirect => ("302 Found", format!("Location: http://{BLOCK_PAGE}/\r\n")),
        Lie::Forbidden => ("403 Forbidden", String::new()),
        _ => ("200 OK", String::new()),
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_request_is_read_without_its_port() {
        let head = b"GET / HTTP/1.1\r\nAccept: */*\r\nhOST: Static.ess.apple.com:4080\r\n\r\n";
        assert_eq!(host_of(head).as_deref(), Some("static.ess.apple.com"));
        assert_eq!(host_of(b"GET / HTTP/1.0\r\n\r\n"), None);
    }

    #[test]
    fn a_box_that_does_not_put_segments_together_is_blind_to_two() {
        let rule = Rule {
            looks_at: LooksAt::ServerName,
            met: Met {
                interference: Interference::Reset,
                page: Lie::BlockPage,
            },
            hosts: vec!["apple.com".to_owned()],
            sight: Sight::FirstSegment,
            dice: None,
        };
        let begun = |first, length| Beginning {
            name: Some("facetime.apple.com"),
            length,
            first,
            is_tls: true,
        };
        let door = Door::default();
        assert!(rule.is_hit(&door, begun(250, 250)));
        assert!(!rule.is_hit(&door, begun(120, 250)));
        assert!(!rule.is_hit(&door, begun(1500, 1500)));
    }
}
