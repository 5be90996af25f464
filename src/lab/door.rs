//! What stands behind one address and port of the lab, honest or not.

use std::time::Duration;

use crate::lab::authority::{Leaf, Signer, Validity};
use crate::lab::fault::Cut;
use crate::lab::hostile::Hostility;
use crate::model::catalog::{Endpoint, Protocol, Resolver, Transport};
use crate::model::custom::Custom;
use crate::model::technique::Interference;

/// Everything that is served at one address and TCP port, or over QUIC at a UDP port.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// Endpoints of targets and controls that share it.
    pub endpoints: Vec<Tenant>,
    /// A resolver that is asked there, with its place in the list of voices.
    pub resolvers: Vec<(usize, Resolver)>,
    /// Who opens.
    pub face: Face,
    /// How long it takes before the first byte.
    pub delay: Duration,
    /// When it is out of order for a while.
    pub restarts: Option<Cut>,
    /// How far this machine's clock is ahead of the server's, in days.
    pub ahead_days: i64,
}

/// One endpoint behind a door.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// As the catalog has it, with the catalog's port.
    pub endpoint: Endpoint,
    /// Status of every HTTP answer, instead of the expected one.
    pub status: Option<u16>,
    /// When its certificate is good.
    pub validity: Validity,
}

/// Who opens a door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Face {
    /// Those who live there.
    #[default]
    Honest,
    /// Nobody: the port is closed.
    Closed,
    /// A captive portal.
    Portal,
    /// The provider's block page.
    BlockPage,
    /// Nobody: SYNs vanish.
    Dropped,
    /// Somebody who accepts and says nothing.
    Silent,
    /// The real server, which knows Telegram's plain transports alone.
    Plain,
    /// The real server, which knows no name.
    Strict,
    /// The real server, which knows its own names and no other.
    Choosy,
    /// The real server with a certificate of its own making.
    Misconfigured,
    /// The real server with somebody else's good certificate.
    Misplaced,
    /// Somebody who reads what comes first, and then does this whatever it was.
    Curt(Interference),
    /// Somebody who answers one byte a second.
    Tarpit,
    /// Somebody who speaks no known protocol.
    Garbage,
    /// The real server, which answers no ClientHello of more than one segment.
    Narrow,
    /// Somebody who means harm.
    Hostile(Hostility),
}

impl Face {
    /// Whether those who live there answer, if only some.
    pub const fn is_at_home(self) -> bool {
        matches!(self, Self::Honest | Self::Choosy | Self::Narrow)
    }
}

impl Tenant {
    /// The name in its certificate.
    pub fn name(&self) -> Option<&str> {
        let endpoint = &self.endpoint;
        endpoint.server_name.as_deref().or(endpoint.host.as_deref())
    }

    fn leaf(&self) -> Option<Leaf> {
        let signer = match &self.endpoint.expect.private_root {
            Some(id) => Signer::Private(id.clone()),
            None => Signer::Public,
        };
        self.name().map(|name| Leaf {
            signer,
            name: name.to_owned(),
            validity: self.validity,
        })
    }
}

impl Door {
    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.endpoints
            .iter()
            .any(|it| it.endpoint.protocol.is_tls())
            || self
                .resolvers
                .iter()
                .any(|(_, it)| it.transport.is_authenticated())
    }

    /// Whether something is spoken in clear, TLS or not.
    pub fn is_clear(&self) -> bool {
        self.endpoints
            .iter()
            .any(|it| !it.endpoint.protocol.is_tls())
            || self.resolver(Transport::Tcp).is_some()
    }

    /// Whether WhatsApp's handshake is spoken in clear.
    pub fn is_whatsapp(&self) -> bool {
        self.endpoints
            .iter()
            .any(|it| it.endpoint.protocol == Protocol::WhatsappNoise)
    }

    /// Whether a relay answers here over TCP as it does over UDP.
    pub fn is_relay(&self) -> bool {
        self.endpoints
            .iter()
            .any(|it| it.endpoint.protocol.over_tcp().is_some())
    }

    /// Whether HTTP is spoken in clear.
    pub fn is_clear_http(&self) -> bool {
        self.endpoints
            .iter()
            .any(|it| matches!(it.endpoint.protocol, Protocol::Http | Protocol::MtprotoHttp))
    }

    /// The app's own protocol that is spoken here on a bare stream, in clear or inside TLS.
    pub fn own_protocol(&self, is_tls: bool) -> Option<Protocol> {
        let mut protocols = self.endpoints.iter().map(|it| it.endpoint.protocol);
        protocols.find(|protocol| match protocol {
            Protocol::MtprotoAbridged
            | Protocol::MtprotoIntermediate
            | Protocol::MtprotoObfuscated => !is_tls,
            Protocol::MaxBinary => is_tls,
            _ => false,
        })
    }

    /// The protocols of the definitions' own that are spoken here, in clear or inside TLS.
    pub fn described(&self, is_tls: bool) -> Vec<&Custom> {
        let spoken = if is_tls {
            Protocol::CustomTls
        } else {
            Protocol::CustomTcp
        };
        self.endpoints
            .iter()
            .filter(|it| it.endpoint.protocol == spoken)
            .filter_map(|it| it.endpoint.custom.as_deref())
            .collect()
    }

    /// The one in which the server speaks first.
    pub fn greeting(&self, is_tls: bool) -> Option<&Custom> {
        let described = self.described(is_tls);
        described.into_iter().find(|it| it.send.is_empty())
    }

    /// Whether messages may be posted to this path.
    pub fn takes_posts(&self, path: &str) -> bool {
        self.endpoints
            .iter()
            .any(|it| it.endpoint.protocol == Protocol::MtprotoHttp && it.endpoint.path == path)
    }

    /// Whether HTTP is spoken inside TLS.
    pub fn is_tls_http(&self) -> bool {
        self.resolver(Transport::Doh).is_some()
            || self
                .endpoints
                .iter()
                .any(|it| is_http_in_tls(it.endpoint.protocol))
    }

    /// The resolver asked by this transport.
    pub fn resolver(&self, transport: Transport) -> Option<&(usize, Resolver)> {
        self.resolvers
            .iter()
            .find(|(_, it)| it.transport == transport)
    }

    /// ALPN identifiers of everything behind the door, the preferred first.
    pub fn alpn(&self) -> Vec<Vec<u8>> {
        let mut alpn: Vec<Vec<u8>> = Vec::new();
        let mut add = |identifier: &str| {
            if !alpn.iter().any(|it| it == identifier.as_bytes()) {
                alpn.push(identifier.as_bytes().to_vec());
            }
        };
        for tenant in &self.endpoints {
            let endpoint = &tenant.endpoint;
            endpoint.alpn.iter().for_each(|it| add(it));
            if endpoint.alpn.is_empty()
                && let Some(expected) = &endpoint.expect.alpn
            {
                add(expected);
            }
        }
        if self
            .endpoints
            .iter()
            .any(|it| it.endpoint.protocol == Protocol::Quic)
        {
            add("h3");
        }
        if self.is_tls_http() {
            add("h2");
            add("http/1.1");
        }
        if self.resolver(Transport::Dot).is_some() {
            add("dot");
        }
        alpn
    }

    /// When certificates are good, by this machine's clock.
    pub fn validity(&self) -> Validity {
        match self.ahead_days {
            0 => Validity::Lasting,
            1.. => Validity::Past,
            _ => Validity::Future,
        }
    }

    /// The certificates behind the door; the first is for those who ask without a name or for a stranger.
    pub fn leaves(&self, address: &str) -> Vec<Leaf> {
        let public = |name: &str| Leaf {
            signer: Signer::Public,
            name: name.to_owned(),
            validity: self.validity(),
        };
        let tenants = self.endpoints.iter().filter_map(Tenant::leaf).map(|leaf| {
            let validity = match leaf.validity {
                Validity::Lasting => self.validity(),
                ended => ended,
            };
            Leaf { validity, ..leaf }
        });
        let resolvers = self.resolvers.iter();
        let named = resolvers.filter_map(|(_, it)| it.server_name.as_deref().map(public));
        let mut leaves: Vec<Leaf> = Vec::new();
        for leaf in tenants.chain(named) {
            match leaves.iter_mut().find(|it| it.name == leaf.name) {
                Some(made) => {
                    if made.validity == Validity::Lasting {
                        made.validity = leaf.validity;
                    }
                    if made.signer == Signer::Public {
                        made.signer = leaf.signer;
                    }
                }
                None => leaves.push(leaf),
            }
        }
        if leaves.is_empty() {
            leaves.push(public(address));
        }
        leaves
    }
}

/// Whether a protocol is spoken over UDP.
pub fn is_udp(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::Stun
            | Protocol::Turn
            | Protocol::TelegramReflector
            | Protocol::Commnat
            | Protocol::Quic
            | Protocol::CustomUdp
    )
}

fn is_http_in_tls(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::Https
            | Protocol::WhatsappWebsocket
            | Protocol::MtprotoWebsocket
            | Protocol::MaxWebsocket
            | Protocol::Websocket
    )
}
