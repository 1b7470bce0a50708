//! [`Encoding`]: bytes as text, and back.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};

use super::json::JsonBytes;

/// How bytes are written as text. Each of them brings back any bytes, exactly.
///
/// ```
/// use lsmlite_rs::dump::Encoding;
///
/// let bytes = b"K\xf8ln\n";
/// assert_eq!(Encoding::Text.encode(bytes), r"K\xf8ln\n");
/// assert_eq!(Encoding::Hex.encode(bytes), "4bf86c6e0a");
/// assert_eq!(Encoding::Base64.encode(bytes), "S/hsbgo=");
/// assert_eq!(Encoding::Json.encode(bytes), r#"{"base64":"S/hsbgo="}"#);
/// assert_eq!(Encoding::Json.encode("Köln\n".as_bytes()), r#""Köln\n""#);
/// assert_eq!(Encoding::Text.decode(r"K\xf8ln\n".as_bytes())?, bytes);
/// # Ok::<(), lsmlite_rs::dump::EncodingError>(())
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8 as it is, but for backslashes (`\\`), control characters (`\n`, `\t`, `\r`, others
    /// `\x1b`) and those that change the direction of text (`\u{202e}`); bytes that aren't UTF-8 as
    /// `\xff`. The default.
    #[default]
    Text,
    /// Two digits for each byte, lower case; upper case is read, too.
    Hex,
    /// Base64 with padding, as in RFC 4648.
    Base64,
    /// A JSON string if the bytes are UTF-8, otherwise an object `{"base64": "…"}`;
    /// `{"hex": "…"}` is read, too.
    Json,
}

/// Text that doesn't mean bytes in an [`Encoding`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingError(String);

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EncodingError {}

impl Encoding {
    /// All of them.
    pub const ALL: [Encoding; 4] = [
        Encoding::Text,
        Encoding::Hex,
        Encoding::Base64,
        Encoding::Json,
    ];

    /// Its name in lower case, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Text => "text",
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
            Encoding::Json => "json",
        }
    }

    /// The bytes as text.
    pub fn encode(self, bytes: &[u8]) -> String {
        let mut out = String::new();
        self.encode_into(bytes, &mut out);
        out
    }

    /// Appends the bytes as text.
    pub fn encode_into(self, bytes: &[u8], out: &mut String) {
        match self {
            Encoding::Text => escape(bytes, out),
            Encoding::Hex => HEXLOWER.encode_append(bytes, out),
            Encoding::Base64 => BASE64.encode_append(bytes, out),
            Encoding::Json => match std::str::from_utf8(bytes) {
                Ok(text) => json_string(text, out),
                Err(_) => {
                    out.push_str("{\"base64\":\"");
                    BASE64.encode_append(bytes, out);
                    out.push_str("\"}");
                }
            },
        }
    }

    /// The bytes that a text means. In [`Text`](Encoding::Text), bytes that aren't UTF-8 stand for
    /// themselves.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn decode(self, text: &[u8]) -> Result<Vec<u8>, EncodingError> {
        let refuse = |error: data_encoding::DecodeError, what| {
            let message = format!("this isn't {what}: {error}");
            Err(EncodingError(message))
        };
        match self {
            Encoding::Text => unescape(text),
            Encoding::Hex => HEXLOWER_PERMISSIVE
                .decode(text)
                .or_else(|error| refuse(error, "hexadecimal")),
            Encoding::Base64 => BASE64
                .decode(text)
                .or_else(|error| refuse(error, "Base64 with padding")),
            Encoding::Json => match serde_json::from_slice::<JsonBytes<'_>>(text) {
                Ok(bytes) => Ok(bytes.into_vec()),
                Err(error) => Err(EncodingError(format!(
                    "this isn't a string as JSON: {error}"
                ))),
            },
        }
    }
}

/// Reads its [name](Encoding::name).
impl FromStr for Encoding {
    type Err = EncodingError;

    fn from_str(name: &str) -> Result<Encoding, EncodingError> {
        let mut all = Encoding::ALL.into_iter();
        let found = all.find(|encoding| encoding.name() == name);
        found.ok_or_else(|| EncodingError(format!("{name}: text, hex, base64 or json is meant")))
    }
}

/// Appends a JSON string, with everything escaped that a terminal could take for a command.
pub(super) fn json_string(text: &str, out: &mut String) {
    out.push('"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let (escape, len) = match byte {
            b'"' => ("\\\"", 1),
            b'\\' => ("\\\\", 1),
            b'\n' => ("\\n", 1),
            b'\r' => ("\\r", 1),
            b'\t' => ("\\t", 1),
            0..0x20 | 0x7f => ("", 1),
            // U+0080 to U+009F.
            0xc2 if bytes[at + 1] < 0xa0 => ("", 2),
            _ => continue,
        };
        out.push_str(&text[done..at]);
        match escape {
            "" => out.push_str(&format!("\\u{:04x}", bytes[at + len - 1])),
            escape => out.push_str(escape),
        }
        done = at + len;
    }
    out.push_str(&text[done..]);
    out.push('"');
}

fn escape(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", character as u32)),
                // They make text look other than it is.
                '\u{80}'..='\u{9f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => {
                    out.push_str(&format!("\\u{{{:x}}}", character as u32));
                }
                _ => out.push(character),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
}

fn unescape(text: &[u8]) -> Result<Vec<u8>, EncodingError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (character, after) = escaped(&rest[at + 1..]).ok_or_else(|| {
            let place = text.len() - rest.len() + at;
            EncodingError(format!(
                "the backslash at byte {place} begins none of \\\\ \\n \\r \\t \\0 \\xFF \\u{{20ac}}"
            ))
        })?;
        match character {
            Escaped::Byte(byte) => out.push(byte),
            Escaped::Char(character) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    Ok(out)
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// What follows a backslash, and what comes behind it.
fn escaped(text: &[u8]) -> Option<(Escaped, &[u8])> {
    let (&kind, rest) = text.split_first()?;
    let simple = match kind {
        b'\\' => b'\\',
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => 0,
        b'x' => {
            let (digits, rest) = rest.split_at_checked(2)?;
            let byte = HEXLOWER_PERMISSIVE.decode(digits).ok()?[0];
            return Some((Escaped::Byte(byte), rest));
        }
        b'u' => {
            let rest = rest.strip_prefix(b"{")?;
            let end = rest.iter().position(|&byte| byte == b'}')?;
            let digits = std::str::from_utf8(&rest[..end]).ok()?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
            return Some((Escaped::Char(char::from_u32(number)?), &rest[end + 1..]));
        }
        _ => return None,
    };
    Some((Escaped::Byte(simple), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_brings_back_every_two_bytes() {
        for encoding in Encoding::ALL {
            for pair in 0..=u16::MAX {
                let bytes = pair.to_be_bytes();
                let text = encoding.encode(&bytes);
                assert_eq!(encoding.decode(text.as_bytes()).unwrap(), bytes, "{text}");
                assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
            }
            assert_eq!(
                encoding.decode(encoding.encode(b"").as_bytes()).unwrap(),
                b""
            );
        }
    }

    #[test]
    fn what_turns_text_around_is_escaped() {
        for character in [
            '\u{202e}', '\u{200b}', '\u{2066}', '\u{85}', '\u{feff}', '\u{2028}',
        ] {
            let text = Encoding::Text.encode(character.to_string().as_bytes());
            assert!(text.is_ascii(), "{text}");
            let bytes = Encoding::Text.decode(text.as_bytes()).unwrap();
            assert_eq!(bytes, character.to_string().as_bytes());
        }
        assert_eq!(Encoding::Text.encode("日本 é 🦀".as_bytes()), "日本 é 🦀");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (encoding, text) in [
            (Encoding::Text, r"\"),
            (Encoding::Text, r"ab\q"),
            (Encoding::Text, r"\x1"),
            (Encoding::Text, r"\xgg"),
            (Encoding::Text, r"\u{+41}"),
            (Encoding::Text, r"\u{d800}"),
            (Encoding::Text, r"\u{41"),
            (Encoding::Hex, "123"),
            (Encoding::Hex, "zz"),
            (Encoding::Base64, "YQ"),
            (Encoding::Base64, "Y Q="),
            (Encoding::Json, "abc"),
            (Encoding::Json, "7"),
            (Encoding::Json, r#"{"base64":"YQ==","hex":"61"}"#),
            (Encoding::Json, r#"{"base64":7}"#),
            (Encoding::Json, r#"{"hex":"7"}"#),
        ] {
            assert!(
                encoding.decode(text.as_bytes()).is_err(),
                "{encoding:?} {text}"
            );
        }
        assert_eq!(Encoding::Json.decode(br#"{"hex":"FF"}"#).unwrap(), b"\xff");
        assert_eq!(
            Encoding::Text.decode(b"\xff\\u{20ac}").unwrap(),
            b"\xff\xe2\x82\xac"
        );
    }
}
