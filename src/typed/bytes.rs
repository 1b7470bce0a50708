//! Keys that are text or bytes.
//!
//! Alone they are stored as they are. Within another key the end must be found, and "a" must
//! come before "a\0" whatever follows: 0 is written as 00 FF, and 00 00 ends the text.

use super::error::EncodingError;
use super::key::{Key, KeyPrefix, take};

const ESCAPED: u8 = 0xff;
const END: u8 = 0;

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for (n, piece) in bytes.split(|byte| *byte == 0).enumerate() {
        if n > 0 {
            out.extend_from_slice(&[0, ESCAPED]);
        }
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(&[0, END]);
}

fn unescape(input: &mut &[u8]) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    loop {
        let zero = input.iter().position(|byte| *byte == 0);
        let (piece, rest) = input.split_at(zero.unwrap_or(input.len()));
        bytes.extend_from_slice(piece);
        *input = rest;
        match take(input, "the end of a text")? {
            [0, END] => return Ok(bytes),
            [0, ESCAPED] => bytes.push(0),
            [_, other] => {
                let message = format!("{other:#04x} after a zero byte in a text");
                return Err(EncodingError::new(message));
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, EncodingError> {
    String::from_utf8(bytes).map_err(EncodingError::new)
}

impl Key for String {
    type Ref<'a> = &'a str;

    fn by_ref(&self) -> &str {
        self
    }

    fn encode(key: &str, out: &mut Vec<u8>) {
        escape(key.as_bytes(), out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        text(unescape(input)?)
    }

    fn encode_alone(key: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(key.as_bytes());
    }

    fn decode_alone(bytes: &[u8]) -> Result<Self, EncodingError> {
        text(bytes.to_vec())
    }
}

impl Key for Vec<u8> {
    type Ref<'a> = &'a [u8];

    fn by_ref(&self) -> &[u8] {
        self
    }

    fn encode(key: &[u8], out: &mut Vec<u8>) {
        escape(key, out);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        unescape(input)
    }

    fn encode_alone(key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
    }

    fn decode_alone(bytes: &[u8]) -> Result<Self, EncodingError> {
        Ok(bytes.to_vec())
    }
}

impl<const N: usize> Key for [u8; N] {
    type Ref<'a> = &'a [u8; N];

    fn by_ref(&self) -> &[u8; N] {
        self
    }

    fn encode(key: &[u8; N], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        take(input, "an array of bytes")
    }
}

impl KeyPrefix<String> for &str {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl KeyPrefix<String> for &String {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl KeyPrefix<Vec<u8>> for &[u8] {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl KeyPrefix<Vec<u8>> for &Vec<u8> {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> KeyPrefix<Vec<u8>> for &[u8; N] {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(*self);
    }
}
