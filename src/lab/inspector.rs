//! A box that reads the server name of every ClientHello, and what it then does to the connection.

use std::future::pending;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;

use crate::lab::authority::{Leaf, Signer};
use crate::lab::censor::{Censor, is_at_or_below};
use crate::lab::door::{Door, Tenant};
use crate::model::catalog::Catalog;
use crate::model::technique::{Interference, Trigger};

/// A fatal `unrecognized_name`, as a record of TLS 1.2.
const ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

/// The censors of a scenario that look at server names, aimed.
#[derive(Clone, Debug, Default)]
pub struct Inspector {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    interference: Interference,
    hosts: Vec<String>,
    /// Only at addresses where the name really lives.
    at_home: bool,
}

impl Inspector {
    /// Those of the censors that look at server names.
    pub fn new(censors: &[Censor], catalog: &Catalog) -> Self {
        let rules = censors
            .iter()
            .filter(|censor| censor.looks_at_server_names())
            .map(|censor| Rule {
                interference: censor.technique.interference,
                hosts: censor.names.hosts(catalog),
                at_home: censor.technique.trigger == Trigger::ServerNameAtAddress,
            })
            .collect();
        Self { rules }
    }

    /// What is done to a ClientHello with this name at this door.
    pub fn verdict(&self, door: &Door, name: &str) -> Option<Interference> {
        let lives_here = |rule: &Rule| {
            door.endpoints
                .iter()
                .filter_map(Tenant::name)
                .any(|tenant| rule.hosts.iter().any(|host| is_at_or_below(tenant, host)))
        };
        self.rules
            .iter()
            .filter(|rule| rule.hosts.iter().any(|host| is_at_or_below(name, host)))
            .find(|rule| !rule.at_home || lives_here(rule))
            .map(|rule| rule.interference)
    }
}

/// The certificate a box in the middle shows.
pub fn impostor(name: &str) -> Leaf {
    Leaf {
        signer: Signer::Private("inspection".to_owned()),
        name: name.to_owned(),
        is_expired: false,
    }
}

/// Does it. `Intercept` goes on with the box's own certificate.
pub async fn interfere(
    interference: Interference,
    start: StartHandshake<BufReader<TcpStream>>,
    config: Arc<ServerConfig>,
) -> io::Result<()> {
    if interference == Interference::Intercept {
        let mut stream = start.into_stream(config).await?;
        let mut bytes = [0; 512];
        while stream.read(&mut bytes).await? > 0 {}
        return Ok(());
    }
    let mut stream = start.io.into_inner();
    match interference {
        Interference::Reset => SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)),
        Interference::Close => stream.shutdown().await,
        Interference::Alert => {
            stream.write_all(&ALERT).await?;
            stream.shutdown().await
        }
        // Held open for as long as the site lives: the connection hears nothing more.
        _ => pending().await,
    }
}
