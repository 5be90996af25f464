//! As much of protobuf's wire format as handshakes need: numbers and bytes are read and written, the rest is passed over.

/// A message ended within a field, or holds what no field can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'m> {
    /// A number.
    Number(u64),
    /// Bytes, a text or another message.
    Bytes(&'m [u8]),
    /// Four or eight bytes of a fixed size, which nobody here asks for.
    Fixed,
}

/// One field after another, in the order of the message; it ends after the first malformed one.
#[derive(Clone, Debug)]
pub struct Fields<'m> {
    rest: &'m [u8],
}

impl<'m> Fields<'m> {
    /// The fields of a message.
    pub const fn of(message: &'m [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Value<'m>), Malformed> {
        let key = self.number()?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed)?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.bytes(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed),
        };
        if number == 0 {
            return Err(Malformed);
        }
        Ok((number, value))
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for place in 0..10 {
            let (byte, rest) = self.rest.split_first().ok_or(Malformed)?;
            self.rest = rest;
            let part = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if place == 9 && part > 1 {
                return Err(Malformed);
            }
            number |= part << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    fn bytes(&mut self, length: u64) -> Result<&'m [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<(u32, Value<'m>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The last field of that number that holds bytes; `None` too if the message is malformed anywhere.
pub fn bytes_of(message: &[u8], number: u32) -> Option<&[u8]> {
    let mut found = None;
    for field in Fields::of(message) {
        if let (at, Value::Bytes(bytes)) = field.ok()?
            && at == number
        {
            found = Some(bytes);
        }
    }
    found
}

/// The last field of that number that holds a number; 0 if there is none, as protobuf has it.
pub fn number_of(message: &[u8], number: u32) -> Option<u64> {
    let mut found = 0;
    for field in Fields::of(message) {
        if let (at, Value::Number(value)) = field.ok()?
            && at == number
        {
            found = value;
        }
    }
    Some(found)
}

/// A message in the making.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Adds a number.
    #[must_use]
    pub fn number(mut self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(value);
        self
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// The message as it goes on the wire.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(0x80 | low_bits(value));
            value >>= 7;
        }
        self.0.push(low_bits(value));
    }
}

fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_nobody_asked_for_are_passed_over() {
        // 6: a double, 7: a float, 1: "ab", 9: 300.
        let message = b"\x31\0\0\0\0\0\0\0\0\x3d\0\0\0\0\x0a\x02ab\x48\xac\x02";
        assert_eq!(bytes_of(message, 1), Some(b"ab".as_slice()));
        assert_eq!(number_of(message, 9), Some(300));
        assert_eq!(number_of(message, 4), Some(0));
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed() {
        assert_eq!(bytes_of(b"\x0a\x03ab", 1), None);
        assert_eq!(
            bytes_of(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1),
            None
        );
        // Groups went out of use before any of these protocols began.
        assert_eq!(number_of(b"\x0b\x0c", 1), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number in 1_u32..5000, value: u64, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let message = Message::default().number(number, value).bytes(number, &bytes).finish();
            prop_assert_eq!(number_of(&message, number), Some(value));
            prop_assert_eq!(bytes_of(&message, number), Some(bytes.as_slice()));
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
        }
    }
}
