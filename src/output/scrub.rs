//! Keeps the vantage's own addresses out of everything that is written, however they are spelled.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::observation::Observation;
use crate::model::report::{Measured, Origin, Run, Vantage, Verdict};
use crate::output::{Sink, Waiting};
use crate::wire::own::{Own, SCRUBBED};

/// Fields that hold what somebody else wrote. A block page likes to tell its reader's public address, which behind a
/// NAT no interface of ours knows: so no address is left in them but the one that was asked.
const FREE_TEXT: [&str; 8] = [
    "body",
    "headers",
    "title",
    "clear_text",
    "subject",
    "issuer",
    "names",
    "says",
];

/// Takes the vantage's own addresses out of everything that is written.
#[derive(Clone, Debug, Default)]
pub struct Scrubber {
    own: Own,
}

impl Scrubber {
    /// From the addresses of the interfaces (`Line::own`).
    pub fn new(own: &[IpNet]) -> Self {
        Self { own: Own::new(own) }
    }

    /// Scrubs every string and key of a document; tells whether anything changed.
    pub fn value(&self, value: &mut Value) -> bool {
        self.walk(value, None, false)
    }

    /// The same words without the vantage's own addresses; borrowed where there were none.
    ///
    /// # Errors
    /// `InvalidData` if the scrubbed words do not read back, which their types rule out.
    pub fn clean<'a, T>(&self, words: &'a T) -> io::Result<Cow<'a, T>>
    where
        T: Serialize + DeserializeOwned + Clone,
    {
        let mut value = serde_json::to_value(words)?;
        if self.value(&mut value) {
            Ok(Cow::Owned(serde_json::from_value(value)?))
        } else {
            Ok(Cow::Borrowed(words))
        }
    }

    fn walk(&self, value: &mut Value, asked: Option<IpAddr>, free: bool) -> bool {
        match value {
            Value::String(text) => {
                let scrubbed = if free {
                    self.own.free_text(text, asked)
                } else {
                    self.own.text(text)
                };
                let Cow::Owned(scrubbed) = scrubbed else {
                    return false;
                };
                *text = scrubbed;
                true
            }
            Value::Array(items) => items.iter_mut().fold(false, |changed, item| {
                self.walk(item, asked, free) | changed
            }),
            Value::Object(fields) => self.walk_fields(fields, asked, free),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn walk_fields(
        &self,
        fields: &mut serde_json::Map<String, Value>,
        asked: Option<IpAddr>,
        free: bool,
    ) -> bool {
        let asked = fields.get("check").and_then(destination).or(asked);
        let is_check = fields.contains_key("ask");
        // A resolver of `measured`; those of `vantage` are told in words and have no operator.
        let is_resolver = fields.contains_key("operator") && fields.contains_key("transport");
        let is_text_record = fields.get("record").is_some_and(|record| record == "TXT")
            && fields.contains_key("ttl");
        // What was scrubbed could be found again by trying what gives the same hash.
        let (hash, hashes): (_, &[&str]) = if fields.contains_key("subject") {
            ("sha256", &["subject", "issuer", "names"])
        } else {
            ("body_sha256", &["body", "title"])
        };
        let (mut changed, mut is_stale) = (false, false);
        for (key, value) in fields.iter_mut() {
            let key = key.as_str();
            let this = match key {
                "address" if is_check || is_resolver => self.unspecify(value),
                "addresses" => self.unspecify_all(value),
                "first_received" => self.drop_hex(value),
                _ => {
                    let free =
                        free || FREE_TEXT.contains(&key) || (is_text_record && key == "value");
                    self.walk(value, asked, free)
                }
            };
            changed |= this;
            is_stale |= this && hashes.contains(&key);
        }
        changed |= is_stale && fields.remove(hash).is_some();
        let hostile: Vec<String> = fields
            .keys()
            .filter(|key| matches!(self.own.text(key), Cow::Owned(_)))
            .cloned()
            .collect();
        for key in hostile {
            if let Some(value) = fields.remove(&key) {
                fields.insert(self.own.text(&key).into_owned(), value);
                changed = true;
            }
        }
        changed
    }

    /// A check's address has to stay one for its report to be read again: an own one becomes the unspecified.
    fn unspecify(&self, value: &mut Value) -> bool {
        let Some(address) = value
            .as_str()
            .and_then(|text| text.parse::<SocketAddr>().ok())
        else {
            return self.walk(value, None, false);
        };
        if !self.own.is_address(address.ip()) {
            return false;
        }
        *value = SocketAddr::new(nowhere(address.ip()), address.port())
            .to_string()
            .into();
        true
    }

    /// Fixed addresses of the definitions have to stay addresses too.
    fn unspecify_all(&self, value: &mut Value) -> bool {
        let Value::Array(items) = value else {
            return self.walk(value, None, false);
        };
        items.iter_mut().fold(false, |changed, item| {
            let own = item
                .as_str()
                .and_then(|text| text.parse::<IpAddr>().ok())
                .filter(|address| self.own.is_address(*address));
            let Some(own) = own else {
                return self.walk(item, None, false) | changed;
            };
            *item = nowhere(own).to_string().into();
            true
        })
    }

    /// Raw bytes in hex may hold an address as text or as its own octets.
    fn drop_hex(&self, value: &mut Value) -> bool {
        let Some(bytes) = value.as_str().and_then(unhex) else {
            return self.walk(value, None, false);
        };
        let own = self.own.is_in_bytes(&bytes);
        if own {
            *value = SCRUBBED.into();
        }
        own
    }
}

/// A sink before the sinks: everything that is told passes through it, so that none can forget.
pub struct Scrubbed {
    scrubber: Scrubber,
    inner: Box<dyn Sink>,
}

impl Scrubbed {
    /// Everything told to `inner` is without the vantage's own addresses.
    pub fn new(own: &[IpNet], inner: Box<dyn Sink>) -> Self {
        Self {
            scrubber: Scrubber::new(own),
            inner,
        }
    }
}

impl Sink for Scrubbed {
    fn started(&mut self, run: &Run, origin: &Origin, measured: &Measured) -> io::Result<()> {
        let measured = self.scrubber.clean(measured)?;
        let (run, origin) = (self.scrubber.clean(run)?, self.scrubber.clean(origin)?);
        self.inner.started(&run, &origin, &measured)
    }

    fn progress(&mut self, complete: usize, planned: usize) -> io::Result<()> {
        self.inner.progress(complete, planned)
    }

    fn waiting(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.inner.waiting(waiting)
    }

    fn observation(&mut self, observation: &Observation) -> io::Result<()> {
        self.inner.observation(&*self.scrubber.clean(observation)?)
    }

    fn verdict(&mut self, verdict: &Verdict) -> io::Result<()> {
        self.inner.verdict(&*self.scrubber.clean(verdict)?)
    }

    fn finished(&mut self, run: &Run, vantage: &Vantage) -> io::Result<()> {
        let vantage = self.scrubber.clean(vantage)?;
        self.inner.finished(&*self.scrubber.clean(run)?, &vantage)
    }
}

/// The unspecified address of the same family.
fn nowhere(address: IpAddr) -> IpAddr {
    if address.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}

/// Whom a check asks, if that is an address.
fn destination(check: &Value) -> Option<IpAddr> {
    if let Some(address) = check.get("address").and_then(Value::as_str) {
        return address
            .parse::<SocketAddr>()
            .ok()
            .map(|address| address.ip());
    }
    let resolver = check.get("resolver")?.as_str()?;
    let last = resolver.rsplit('/').next()?;
    last.parse::<IpAddr>()
        .ok()
        .or_else(|| last.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok())
        .collect()
}

#[cfg(test)]
mod tests;
