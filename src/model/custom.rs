//! A protocol that the definitions describe: bytes to send, and what must come back.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is said and what must come back. Every expectation has to hold; without any, whatever comes is right.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Custom {
    /// The first message; empty where the server speaks first.
    #[serde(default, skip_serializing_if = "Octets::is_empty")]
    pub send: Octets,
    /// The answer begins so.
    #[serde(default, skip_serializing_if = "Octets::is_empty")]
    pub prefix: Octets,
    /// The answer has this in it.
    #[serde(default, skip_serializing_if = "Octets::is_empty")]
    pub contains: Octets,
    /// This regular expression, which reads bytes, is found in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
}

/// Bytes that reports write as hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub Vec<u8>);

impl Custom {
    /// Tells one protocol of the definitions from another where both are spoken at the same address and port.
    pub fn mark(&self) -> String {
        let regex = self.regex.as_deref().unwrap_or_default().as_bytes();
        let mut digest = crc32fast::Hasher::new();
        for part in [&self.send.0, &self.prefix.0, &self.contains.0, regex] {
            digest.update(&part.len().to_be_bytes());
            digest.update(part);
        }
        format!("{:08x}", digest.finalize())
    }
}

impl Octets {
    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of hexadecimal digits, two to a byte, with spaces between bytes; or what is wrong with them.
    ///
    /// # Errors
    /// In words that go on after a name: "has an odd number of digits".
    pub fn of_hex(text: &str) -> Result<Self, &'static str> {
        let mut bytes = Vec::with_capacity(text.len() / 2);
        for group in text.split_ascii_whitespace() {
            if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err("has characters other than 0-9, a-f and spaces");
            }
            let (pairs, rest) = group.as_bytes().as_chunks::<2>();
            if !rest.is_empty() {
                return Err("has an odd number of digits");
            }
            let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
            let byte = |[high, low]: [u8; 2]| value(high) << 4 | value(low);
            bytes.extend(pairs.iter().filter_map(|it| u8::try_from(byte(*it)).ok()));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::of_hex(&text).map_err(|trouble| de::Error::custom(format!("hex {trouble}")))
    }
}

impl JsonSchema for Octets {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Octets".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Bytes, as hexadecimal digits.",
            "type": "string",
            "pattern": "^([0-9a-f]{2})*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_every_byte_and_leaves_out_what_is_not_there() {
        let custom = Custom {
            send: Octets(b"PING\r\n\xff".to_vec()),
            regex: Some("^\\+".to_owned()),
            ..Custom::default()
        };
        let json = serde_json::to_string(&custom).unwrap();
        assert_eq!(json, r#"{"send":"50494e470d0aff","regex":"^\\+"}"#);
        assert_eq!(serde_json::from_str::<Custom>(&json).unwrap(), custom);
        assert!(serde_json::from_str::<Custom>(r#"{"send":"5"}"#).is_err());
    }

    #[test]
    fn what_is_expected_is_part_of_the_mark() {
        let of = |send: &str, prefix: &str| Custom {
            send: Octets(send.into()),
            prefix: Octets(prefix.into()),
            ..Custom::default()
        };
        assert_ne!(of("a", "b").mark(), of("ab", "").mark());
        assert_eq!(of("a", "b").mark(), of("a", "b").mark());
    }

    #[test]
    fn hexadecimal_digits_stand_in_pairs() {
        assert_eq!(
            Octets::of_hex("57 41\n0603"),
            Ok(Octets(vec![0x57, 0x41, 6, 3]))
        );
        for wrong in ["5", "57 4 1", "0x57", "57,41", "é"] {
            assert!(Octets::of_hex(wrong).is_err(), "{wrong}");
        }
    }
}
