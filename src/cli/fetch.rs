//! Requests beside the measurement (`--control URL`): they have to work on the network whose resolver and servers are measured.
//!
//! The system's resolver is asked first. Where it denies the host, or what stands at its address cannot prove to be that host,
//! the protected resolvers of the definitions are asked (DNS over TLS or HTTPS). The measured checks never come this way.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::{Client, Response, StatusCode, Url, header};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::cli::trouble::Trouble;
use crate::model::catalog::{Catalog, Resolver, Transport};
use crate::model::line::Line;

/// For the whole request, redirects and other ways included. Seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// The first way gets a part of it: a server that never answers must leave time for the other way.
const FIRST_WAY: Duration = Duration::from_secs(8);
/// For one question to a protected resolver.
const QUESTION: Duration = Duration::from_secs(4);
/// As many as browsers' libraries follow at least; more is a loop.
const MOST_REDIRECTS: usize = 5;
/// Protected resolvers that are asked: one operator may be blocked, a dozen are not needed.
const MOST_RESOLVERS: usize = 6;

/// What a request may use: the resolvers and the roots of the run that it helps.
#[derive(Debug, Default)]
pub struct Means {
    protected: Vec<Resolver>,
    added_roots: Vec<Vec<u8>>,
}

impl Means {
    /// The protected resolvers of these definitions, and the roots that this run trusts.
    pub fn of(catalog: &Catalog, line: &Line) -> Self {
        let protected = catalog
            .resolvers
            .iter()
            .filter(|it| matches!(it.transport, Transport::Dot | Transport::Doh))
            .filter(|it| it.server_name.is_some())
            .filter(|it| {
                (line.ipv4 && it.address.is_ipv4()) || (line.ipv6 && it.address.is_ipv6())
            });
        Self {
            protected: protected.take(MOST_RESOLVERS).cloned().collect(),
            added_roots: line.added_roots.clone(),
        }
    }

    /// TLS with the roots that measurements trust, and no others of this machine: the same answer everywhere.
    fn tls(&self) -> ClientConfig {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let added = self.added_roots.iter().cloned().map(CertificateDer::from);
        roots.add_parsable_certificates(added);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// The addresses of a host by the protected resolvers, and which resolver gave them.
    async fn addresses(&self, host: &str) -> Option<(Vec<IpAddr>, String)> {
        for resolver in &self.protected {
            if let Some(addresses) = self.ask(resolver, host).await {
                let by = format!("{} ({})", resolver.name, resolver.transport.word());
                return Some((addresses, by));
            }
        }
        None
    }

    async fn ask(&self, resolver: &Resolver, host: &str) -> Option<Vec<IpAddr>> {
        let name: Arc<str> = resolver.server_name.as_deref()?.into();
        let mut connection = if resolver.transport == Transport::Doh {
            ConnectionConfig::https(name, Some(resolver.path.as_str().into()))
        } else {
            ConnectionConfig::tls(name)
        };
        connection.port = resolver.address.port();
        let server = NameServerConfig::new(resolver.address.ip(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut options = ResolverOpts::default();
        options.timeout = QUESTION;
        options.attempts = 1;
        let asked = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .with_tls_config(self.tls())
            .build()
            .ok()?;
        // The dot at the end: no search domain of this machine is tried.
        let told = tokio::time::timeout(QUESTION, asked.lookup_ip(format!("{host}."))).await;
        let addresses: Vec<IpAddr> = told.ok()?.ok()?.iter().collect();
        (!addresses.is_empty()).then_some(addresses)
    }
}

/// What was fetched, and how, where that is worth a note.
#[derive(Debug)]
pub struct Fetched {
    /// At most as many bytes as were allowed, and one more where there are more.
    pub bytes: Vec<u8>,
    /// A sentence about the way that was taken, if it was not the ordinary one.
    pub note: Option<String>,
}

/// Whether the source is an address on the web; other schemes than HTTP are refused.
///
/// # Errors
/// Where it is an address of another scheme, such as `ftp://`.
pub fn is_url(source: &str) -> Result<bool, Trouble> {
    let Some((scheme, _)) = source.split_once("://") else {
        return Ok(false);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => Ok(true),
        _ => Err(Trouble::new(format!(
            "cannot fetch {}: only http and https are supported",
            shown(source)
        ))
        .hint("download the report and give the file")),
    }
}

/// Fetches what is at that address, `most` bytes of it and one at most.
///
/// # Errors
/// Where neither way leads there, with the reasons of both.
pub async fn fetch(source: &str, most: usize, means: &Means) -> Result<Fetched, Trouble> {
    let name = shown(source);
    let url = Url::parse(source)
        .map_err(|error| Trouble::new(format!("cannot fetch {name}: {error}")))?;
    let fetched = tokio::time::timeout(PATIENCE, follow(url, most, means)).await;
    let fetched =
        fetched.unwrap_or_else(|_| Err(format!("no whole answer in {} s", PATIENCE.as_secs())));
    fetched.map_err(|reason| {
        Trouble::new(format!("cannot fetch {name}: {reason}"))
            .hint("nothing was measured; download the report where that works, and give the file")
    })
}

async fn follow(mut url: Url, most: usize, means: &Means) -> Result<Fetched, String> {
    let mut notes = Vec::new();
    for _ in 0..=MOST_REDIRECTS {
        let (mut response, note) = get(&url, means).await?;
        notes.extend(note);
        if let Some(next) = redirected(&url, &response)? {
            url = next;
            continue;
        }
        if !response.status().is_success() {
            return Err(format!("the server answered {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| reasons(&error))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > most {
                bytes.truncate(most + 1);
                break;
            }
        }
        notes.dedup();
        let note = (!notes.is_empty()).then(|| notes.join(". "));
        return Ok(Fetched { bytes, note });
    }
    Err(format!("more than {MOST_REDIRECTS} redirects"))
}

/// Where the answer leads on to. What was asked for over TLS is never fetched in clear.
fn redirected(from: &Url, response: &Response) -> Result<Option<Url>, String> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(place) = response
        .headers()
        .get(header::LOCATION)
        .filter(|_| is_redirect)
    else {
        return Ok(None);
    };
    let place = place
        .to_str()
        .map_err(|_| "a redirect to no address".to_owned())?;
    let to = from
        .join(place)
        .map_err(|error| format!("a redirect to no address: {error}"))?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(Some(to)),
        _ => Err(format!(
            "the server redirects from {} to {}",
            from.scheme(),
            to.scheme()
        )),
    }
}

/// One request: by the system's resolver, and where that leads nowhere by the protected ones.
async fn get(url: &Url, means: &Means) -> Result<(Response, Option<String>), String> {
    let plain = tokio::time::timeout(FIRST_WAY, client(means, None)?.get(url.clone()).send()).await;
    let first = match plain {
        Ok(Ok(response)) => return Ok((response, proxied(url))),
        Ok(Err(error)) => reasons(&error),
        Err(_) => format!("no answer in {} s", FIRST_WAY.as_secs()),
    };
    let Some(host) = url.domain() else {
        return Err(first);
    };
    let Some((addresses, by)) = means.addresses(host).await else {
        return Err(first);
    };
    let port = url.port_or_known_default().unwrap_or_default();
    let addresses: Vec<SocketAddr> = addresses.iter().map(|it| (*it, port).into()).collect();
    let sent = client(means, Some((host, &addresses)))?
        .get(url.clone())
        .send();
    let response = sent.await.map_err(|error| {
        format!(
            "{first}; and with the address from {by}: {}",
            reasons(&error)
        )
    })?;
    let note = format!(
        "The control report was fetched from {host} with an address from the protected resolver {by}: with the system's \
         resolver the request failed ({first})"
    );
    Ok((response, Some(note)))
}

fn client(means: &Means, known: Option<(&str, &[SocketAddr])>) -> Result<Client, String> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(means.tls())
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ))
        .redirect(reqwest::redirect::Policy::none());
    if let Some((host, addresses)) = known {
        builder = builder.resolve_to_addrs(host, addresses);
    }
    builder.build().map_err(|error| reasons(&error))
}

/// That a proxy of the environment was used, which measurements never use.
fn proxied(url: &Url) -> Option<String> {
    let variables: &[&str] = match url.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let set = |name: &&&str| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    let variable = variables.iter().find(set)?;
    Some(format!(
        "The control report was fetched by way of the proxy in {variable}, unless NO_PROXY excepts its host; measurements \
         use no proxy"
    ))
}

/// An address without what may be secret in it: the user, the password, the query.
pub fn shown(source: &str) -> String {
    let Ok(mut url) = Url::parse(source) else {
        // Whatever it is: what stands before an `@` may be a password.
        return source
            .rsplit_once('@')
            .map_or(source, |(_, rest)| rest)
            .to_owned();
    };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// An error and what caused it: the outermost one alone says only that a request failed. The address is left out: it may
/// hold a password.
fn reasons(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words.push(inner.to_string());
        cause = inner.source();
    }
    words.dedup();
    if words.is_empty() {
        return "the request failed".to_owned();
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        for (source, told) in [
            (
                "https://user:SECRET@example.org/free.json?key=SECRET#SECRET",
                "https://example.org/free.json",
            ),
            (
                "https://SECRET@example.org:8443/",
                "https://example.org:8443/",
            ),
            ("http://SECRET@:bad", ":bad"),
        ] {
            assert_eq!(shown(source), told);
        }
    }

    #[test]
    fn only_http_is_fetched() {
        assert!(is_url("https://example.org/x").is_ok_and(|it| it));
        assert!(is_url("HTTP://example.org/x").is_ok_and(|it| it));
        assert!(is_url("free.json").is_ok_and(|it| !it));
        assert!(is_url("ftp://example.org/x").is_err());
    }
}
