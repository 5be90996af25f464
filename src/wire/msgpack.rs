//! MessagePack, read with limits on depth and number of values, and written in its shortest forms.
//!
//! See <https://github.com/msgpack/msgpack/blob/master/spec.md>.

/// Containers inside each other at most.
const MAX_DEPTH: usize = 16;
/// Values in one message at most.
const MAX_VALUES: usize = 8192;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// A truth.
    Bool(bool),
    /// An integer of either form: they reach from the least i64 to the greatest u64.
    Int(i128),
    /// A number with a fraction.
    Float(f64),
    /// Text; what was no UTF-8 became U+FFFD.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    Array(Vec<Value>),
    /// Keys with their values, in the order in which they came.
    Map(Vec<(Value, Value)>),
    /// Bytes of a type that an application defined.
    Extension(i8, Vec<u8>),
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// A map with keys that are texts.
    pub fn map<const N: usize>(pairs: [(&str, Value); N]) -> Self {
        Self::Map(pairs.map(|(key, value)| (Self::text(key), value)).to_vec())
    }

    /// The value under a text in a map.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let Self::Map(pairs) = self else { return None };
        let mut pairs = pairs.iter();
        pairs
            .find(|(key, _)| matches!(key, Self::Text(key) if key == name))
            .map(|(_, value)| value)
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as bytes. Integers that no form holds become nil.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(self, &mut bytes);
        bytes
    }

    /// One value that fills the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader {
            rest: bytes,
            values: 0,
        };
        let value = reader.value(0)?;
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err("bytes behind the value")
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, &'static str> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err("too many values");
        }
        if depth > MAX_DEPTH {
            return Err("values too deep in each other");
        }
        Ok(match self.unsigned(1)? {
            small @ 0x00..=0x7f => Value::Int(small.into()),
            head @ 0x80..=0x8f => self.map(head & 0x0f, depth)?,
            head @ 0x90..=0x9f => self.array(head & 0x0f, depth)?,
            head @ 0xa0..=0xbf => self.text(head & 0x1f)?,
            0xc0 => Value::Nil,
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            head @ 0xc4..=0xc6 => {
                let length = self.unsigned(1 << (head - 0xc4))?;
                Value::Bytes(self.slice(length)?.to_vec())
            }
            head @ 0xc7..=0xc9 => {
                let length = self.unsigned(1 << (head - 0xc7))?;
                self.extension(length)?
            }
            0xca => Value::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Value::Float(f64::from_be_bytes(self.fixed()?)),
            head @ 0xcc..=0xcf => Value::Int(self.unsigned(1 << (head - 0xcc))?.into()),
            0xd0 => Value::Int(i8::from_be_bytes(self.fixed()?).into()),
            0xd1 => Value::Int(i16::from_be_bytes(self.fixed()?).into()),
            0xd2 => Value::Int(i32::from_be_bytes(self.fixed()?).into()),
            0xd3 => Value::Int(i64::from_be_bytes(self.fixed()?).into()),
            head @ 0xd4..=0xd8 => self.extension(1 << (head - 0xd4))?,
            head @ 0xd9..=0xdb => {
                let length = self.unsigned(1 << (head - 0xd9))?;
                self.text(length)?
            }
            head @ 0xdc..=0xdd => {
                let count = self.unsigned(2 << (head - 0xdc))?;
                self.array(count, depth)?
            }
            head @ 0xde..=0xdf => {
                let count = self.unsigned(2 << (head - 0xde))?;
                self.map(count, depth)?
            }
            negative @ 0xe0..=0xff => Value::Int(i128::from(negative) - 0x100),
            _ => return Err("a form that MessagePack never uses"),
        })
    }

    /// Nothing is set aside for what a head promises: each value must be there first.
    fn array(&mut self, count: u64, depth: usize) -> Result<Value, &'static str> {
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(values))
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<Value, &'static str> {
        let mut pairs = Vec::new();
        for _ in 0..count {
            pairs.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        Ok(Value::Map(pairs))
    }

    fn text(&mut self, length: u64) -> Result<Value, &'static str> {
        let bytes = self.slice(length)?;
        Ok(Value::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn extension(&mut self, length: u64) -> Result<Value, &'static str> {
        let kind = i8::from_be_bytes(self.fixed()?);
        Ok(Value::Extension(kind, self.slice(length)?.to_vec()))
    }

    fn unsigned(&mut self, width: u64) -> Result<u64, &'static str> {
        let bytes = self.slice(width)?;
        Ok(bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let bytes = self.slice(u64::try_from(N).unwrap_or(u64::MAX))?;
        bytes.try_into().map_err(|_| "a value that ends too early")
    }

    fn slice(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let cut = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = cut.ok_or("a value that ends too early")?;
        self.rest = rest;
        Ok(taken)
    }
}

fn write(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Nil => to.push(0xc0),
        Value::Bool(truth) => to.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Int(number) => write_int(*number, to),
        Value::Float(number) => {
            to.push(0xcb);
            to.extend(number.to_be_bytes());
        }
        Value::Text(text) => {
            head(
                text.len(),
                Some((0xa0, 31)),
                [Some(0xd9), Some(0xda), Some(0xdb)],
                to,
            );
            to.extend(text.as_bytes());
        }
        Value::Bytes(bytes) => {
            head(bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)], to);
            to.extend(bytes);
        }
        Value::Array(values) => {
            head(
                values.len(),
                Some((0x90, 15)),
                [None, Some(0xdc), Some(0xdd)],
                to,
            );
            for value in values {
                write(value, to);
            }
        }
        Value::Map(pairs) => {
            head(
                pairs.len(),
                Some((0x80, 15)),
                [None, Some(0xde), Some(0xdf)],
                to,
            );
            for (key, value) in pairs {
                write(key, to);
                write(value, to);
            }
        }
        Value::Extension(kind, bytes) => {
            head(bytes.len(), None, [Some(0xc7), Some(0xc8), Some(0xc9)], to);
            to.extend(kind.to_be_bytes());
            to.extend(bytes);
        }
    }
}

fn write_int(number: i128, to: &mut Vec<u8>) {
    let (form, width): (u8, usize) = match number {
        -0x20..=0x7f => return to.extend(number.to_be_bytes().last()),
        0x80..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000..=0xffff_ffff_ffff_ffff => (0xcf, 8),
        -0x80..-0x20 => (0xd0, 1),
        -0x8000..-0x80 => (0xd1, 2),
        -0x8000_0000..-0x8000 => (0xd2, 4),
        -0x8000_0000_0000_0000..-0x8000_0000 => (0xd3, 8),
        _ => return to.push(0xc0),
    };
    to.push(form);
    to.extend(&number.to_be_bytes()[16 - width..]);
}

/// The head of what has a length: in the form's own byte if it fits there, else in one, two or four bytes more.
fn head(length: usize, short: Option<(u8, u8)>, forms: [Option<u8>; 3], to: &mut Vec<u8>) {
    if let (Some((form, most)), Ok(length)) = (short, u8::try_from(length))
        && length <= most
    {
        return to.push(form | length);
    }
    let long = u32::try_from(length).unwrap_or(u32::MAX);
    match (u8::try_from(length), u16::try_from(length), forms) {
        (Ok(length), _, [Some(form), ..]) => to.extend([form, length]),
        (_, Ok(length), [_, Some(form), _]) => {
            to.push(form);
            to.extend(length.to_be_bytes());
        }
        (.., form) => {
            to.extend(form[2]);
            to.extend(long.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| Value::Int(number.into())),
            any::<u64>().prop_map(|number| Value::Int(number.into())),
            (-300_i128..300).prop_map(Value::Int),
            (-1e9..1e9).prop_map(Value::Float),
            ".{0,300}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
            (any::<i8>(), proptest::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(kind, bytes)| Value::Extension(kind, bytes)),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
                proptest::collection::vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let bytes = value.encode();
            prop_assert_eq!(Value::decode(&bytes), Ok(value));
            prop_assert!(Value::decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Value::decode(&bytes);
        }
    }

    #[test]
    fn neither_depth_nor_promises_cost_more_than_the_bytes() {
        assert!(Value::decode(&[0x91; 4000]).is_err());
        assert!(Value::decode(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(Value::decode(&[0xc6, 0xff, 0xff, 0xff, 0xff]).is_err());
        let many = [&[0xdc, 0xff, 0xff][..], &vec![0xc0; 0xffff]].concat();
        assert_eq!(Value::decode(&many), Err("too many values"));
    }
}
