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
use crate::output::scrub::spelling::{Found, places};
use crate::output::{Sink, Waiting};

pub mod spelling;

/// What stands where an address stood.
pub const SCRUBBED: &str = "[scrubbed]";

/// Fields that hold what somebody else wrote. A block page likes to tell its reader's public address, which behind a
/// NAT no interface of ours knows: so no address is left in them but the one that was asked.
const FREE_TEXT: [&str; 7] = [
    "body",
    "headers",
    "title",
    "clear_text",
    "subject",
    "issuer",
    "names",
];

/// Knows the vantage's own addresses and takes them out.
#[derive(Clone, Debug, Default)]
pub struct Scrubber {
    ipv4: Vec<Ipv4Addr>,
    ipv6: Vec<Ipv6Addr>,
    prefixes: Vec<u64>,
}

impl Scrubber {
    /// From the addresses of the interfaces (`Line::own`). Loopback is everybody's and no secret; of a global IPv6
    /// address the whole /64 is the vantage's, since temporary addresses come and go in it (RFC 8981).
    pub fn new(own: &[IpNet]) -> Self {
        let mut scrubber = Self::default();
        for address in own
            .iter()
            .map(IpNet::addr)
            .filter(|own| !is_everybodys(*own))
        {
            match address {
                IpAddr::V4(address) => scrubber.ipv4.push(address),
                IpAddr::V6(address) => {
                    if is_global(address) {
                        scrubber.prefixes.push(upper_half(address));
                    }
                    scrubber.ipv6.push(address);
                }
            }
        }
        scrubber
    }

    /// The text without the vantage's own addresses.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        replace(text, &|found| self.is_own(found))
    }

    /// The text of somebody else without any address but `asked`.
    pub fn free_text<'a>(&self, text: &'a str, asked: Option<IpAddr>) -> Cow<'a, str> {
        replace(text, &|found| {
            self.is_own(found) || is_foreign_secret(found, asked)
        })
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
                    self.free_text(text, asked)
                } else {
                    self.text(text)
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
        let mut changed = false;
        for (key, value) in fields.iter_mut() {
            let key = key.as_str();
            changed |= match key {
                "address" if is_check || is_resolver => self.unspecify(value),
                "addresses" => self.unspecify_all(value),
                "first_received" => self.drop_hex(value),
                _ => {
                    let free =
                        free || FREE_TEXT.contains(&key) || (is_text_record && key == "value");
                    self.walk(value, asked, free)
                }
            };
        }
        let hostile: Vec<String> = fields
            .keys()
            .filter(|key| matches!(self.text(key), Cow::Owned(_)))
            .cloned()
            .collect();
        for key in hostile {
            if let Some(value) = fields.remove(&key) {
                fields.insert(self.text(&key).into_owned(), value);
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
        if !self.is_own(&Found::Address(address.ip())) {
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
                .filter(|address| self.is_own(&Found::Address(*address)));
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
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        let holds = |octets: &[u8]| bytes.windows(octets.len()).any(|window| window == octets);
        let own = matches!(self.free_text(&text, None), Cow::Owned(_))
            || self.ipv4.iter().any(|address| holds(&address.octets()))
            || self.ipv6.iter().any(|address| holds(&address.octets()));
        if own {
            *value = SCRUBBED.into();
        }
        own
    }

    fn is_own(&self, found: &Found) -> bool {
        match found {
            Found::Address(IpAddr::V4(address)) | Found::Reversed(IpAddr::V4(address)) => {
                self.ipv4.contains(address)
            }
            Found::Address(IpAddr::V6(address))
            | Found::Reversed(IpAddr::V6(address))
            | Found::Embedded(address) => {
                self.ipv6.contains(address)
                    || self.prefixes.contains(&upper_half(*address))
                    || inner_ipv4(*address).is_some_and(|inner| self.ipv4.contains(&inner))
            }
            Found::ReversedPrefix(prefix) => self.prefixes.contains(prefix),
            Found::Number(address) => self.ipv4.contains(address),
            Found::Hardware => false,
        }
    }
}

/// The text with a mark in every place that `take` takes.
fn replace<'a>(text: &'a str, take: &dyn Fn(&Found) -> bool) -> Cow<'a, str> {
    if let Some(decoded) = without_percent(text)
        && let Cow::Owned(scrubbed) = replace(&decoded, take)
    {
        return Cow::Owned(scrubbed);
    }
    let places = places(text, take);
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut scrubbed = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        scrubbed.push_str(&text[from..place.start]);
        scrubbed.push_str(SCRUBBED);
        from = place.end;
    }
    scrubbed.push_str(&text[from..]);
    Cow::Owned(scrubbed)
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

/// Whether an address in somebody else's text may tell who we are.
fn is_foreign_secret(found: &Found, asked: Option<IpAddr>) -> bool {
    match found {
        Found::Address(address) => Some(*address) != asked && !is_everybodys(*address),
        // Four numbers in a row always read backwards too; forwards was asked first.
        Found::Reversed(address) => address.is_ipv6(),
        Found::ReversedPrefix(_) | Found::Hardware => true,
        // `a::b` may be a name in a program, and a number may be anything.
        Found::Embedded(_) | Found::Number(_) => false,
    }
}

fn is_everybodys(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// 2000::/3, all of the global unicast space that is in use (RFC 4291).
fn is_global(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

fn upper_half(address: Ipv6Addr) -> u64 {
    u64::try_from(u128::from(address) >> 64).expect("64 bits are left of 128")
}

/// The IPv4 address inside: mapped, NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn inner_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let groups = address.segments();
    let pair = |at: usize| Ipv4Addr::from(u32::from(groups[at]) << 16 | u32::from(groups[at + 1]));
    match groups {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, ..] => Some(pair(6)),
        [0x2002, ..] => Some(pair(1)),
        _ => None,
    }
}

/// Colons and dots as they are written in URLs, undone; `None` if there were none.
fn without_percent(text: &str) -> Option<String> {
    let is_written = |code: &str| text.contains(code);
    (is_written("%3A") || is_written("%3a") || is_written("%2E") || is_written("%2e")).then(|| {
        text.replace("%3A", ":")
            .replace("%3a", ":")
            .replace("%2E", ".")
            .replace("%2e", ".")
    })
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
