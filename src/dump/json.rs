//! The form of JSON lines: an object for each record, for other programs and for people.
//!
//! `{"key": …, "value": …}`, with `"table"` before if the record is in one. A key or value is a
//! string if it is UTF-8, otherwise `{"base64": "…"}`, as [`Encoding::Json`](super::Encoding::Json)
//! has it. A table without records is `{"table": …}`. There is no checksum, and a dump that was cut
//! off behind a line looks like a shorter one.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Write};

use serde_core::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::encoding::json_string;
use super::{DumpError, Encoding, Entry, RecordSource};

/// Writes JSON lines.
#[derive(Debug)]
pub struct JsonWriter<W: Write> {
    out: W,
    line: String,
    /// What lines begin with.
    begin: String,
    /// A table of which no record was written yet.
    pending: bool,
    records: u64,
}

impl<W: Write> JsonWriter<W> {
    /// Begins a dump.
    pub fn new(out: W) -> JsonWriter<W> {
        JsonWriter {
            out,
            line: String::new(),
            begin: "{".to_owned(),
            pending: false,
            records: 0,
        }
    }

    /// What follows is in this table.
    ///
    /// # Errors
    /// The stream fails.
    pub fn table(&mut self, name: Option<&str>) -> io::Result<()> {
        self.end_table()?;
        self.begin.clear();
        self.begin.push('{');
        if let Some(name) = name {
            self.begin.push_str("\"table\":");
            json_string(name, &mut self.begin);
            self.pending = true;
        }
        Ok(())
    }

    /// Writes a record.
    ///
    /// # Errors
    /// The stream fails.
    pub fn record(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.pending = false;
        self.records += 1;
        self.line.clear();
        self.line.push_str(&self.begin);
        self.line.push_str(match self.begin.len() {
            1 => "\"key\":",
            _ => ",\"key\":",
        });
        Encoding::Json.encode_into(key, &mut self.line);
        self.line.push_str(",\"value\":");
        Encoding::Json.encode_into(value, &mut self.line);
        self.line.push_str("}\n");
        self.out.write_all(self.line.as_bytes())
    }

    /// Records that were written so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the stream, flushed.
    ///
    /// # Errors
    /// The stream fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_table()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn end_table(&mut self) -> io::Result<()> {
        if self.pending {
            self.pending = false;
            self.out.write_all(self.begin.as_bytes())?;
            self.out.write_all(b"}\n")?;
        }
        Ok(())
    }
}

/// Reads JSON lines as [`JsonWriter`] writes them; empty lines and other members of the objects are
/// passed over.
#[derive(Debug)]
pub struct JsonReader<R: BufRead> {
    input: R,
    number: u64,
    text: Vec<u8>,
    table: Option<String>,
    /// The table of the line in `text` was returned already, and the record is yet to come.
    again: bool,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<R: BufRead> JsonReader<R> {
    /// Nothing is read yet.
    pub fn new(input: R) -> JsonReader<R> {
        JsonReader {
            input,
            number: 0,
            text: Vec::new(),
            table: None,
            again: false,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Reads the next line that isn't empty; false at the end.
    fn next_line(&mut self) -> io::Result<bool> {
        loop {
            self.text.clear();
            if self.input.read_until(b'\n', &mut self.text)? == 0 {
                return Ok(false);
            }
            self.number += 1;
            if !self.text.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }
}

impl<R: BufRead> RecordSource for JsonReader<R> {
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError> {
        if !self.again && !self.next_line()? {
            return Ok(None);
        }
        let number = self.number;
        let refuse = |problem: String| DumpError::Line {
            line: number,
            problem,
        };
        let line: Line<'_> = serde_json::from_slice(&self.text)
            .map_err(|error| refuse(format!("this is no record as JSON: {error}")))?;
        if line.table.as_deref() != self.table.as_deref() {
            self.table = line.table.map(Cow::into_owned);
            // The record comes with the next call.
            self.again = line.key.is_some() || line.value.is_some();
            return Ok(Some(Entry::Table(self.table.as_deref())));
        }
        self.again = false;
        match (line.key, line.value) {
            (Some(key), Some(value)) => {
                key.copy_to(&mut self.key);
                value.copy_to(&mut self.value);
                Ok(Some(Entry::Record(&self.key, &self.value)))
            }
            (None, None) if self.table.is_some() => Ok(Some(Entry::Table(self.table.as_deref()))),
            _ => Err(refuse(
                "the object needs a \"key\" and a \"value\"".to_owned(),
            )),
        }
    }
}

/// A line.
#[derive(Default)]
struct Line<'a> {
    table: Option<Cow<'a, str>>,
    key: Option<JsonBytes<'a>>,
    value: Option<JsonBytes<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Line<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Line<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with \"key\" and \"value\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
                let mut line = Line::default();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    match &*name.0 {
                        "table" => line.table = Some(map.next_value::<Text<'de>>()?.0),
                        "key" => line.key = Some(map.next_value()?),
                        "value" => line.value = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(line)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A string, borrowed if it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(AnyBytes)? {
            JsonBytes::Text(text) => Ok(Text(text)),
            JsonBytes::Bytes(_) => Err(D::Error::custom("a string is meant")),
        }
    }
}

/// Bytes as [`Encoding::Json`] has them.
pub(super) enum JsonBytes<'a> {
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
}

impl JsonBytes<'_> {
    fn copy_to(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(match self {
            JsonBytes::Text(text) => text.as_bytes(),
            JsonBytes::Bytes(bytes) => bytes,
        });
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            JsonBytes::Text(text) => text.into_owned().into_bytes(),
            JsonBytes::Bytes(bytes) => bytes,
        }
    }
}

struct AnyBytes;

impl<'de> Visitor<'de> for AnyBytes {
    type Value = JsonBytes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a string, {"base64": "…"} or {"hex": "…"}"#)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<JsonBytes<'de>, E> {
        Ok(JsonBytes::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<JsonBytes<'de>, E> {
        Ok(JsonBytes::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonBytes<'de>, A::Error> {
        let refuse = || A::Error::custom(r#"{"base64": "…"} or {"hex": "…"} is meant"#);
        let name = map.next_key::<Text<'de>>()?.ok_or_else(refuse)?;
        let encoding = match &*name.0 {
            "base64" => Encoding::Base64,
            "hex" => Encoding::Hex,
            _ => return Err(refuse()),
        };
        let text = map.next_value::<Text<'de>>()?;
        let bytes = encoding
            .decode(text.0.as_bytes())
            .map_err(A::Error::custom)?;
        match map.next_key::<Text<'de>>()? {
            Some(_) => Err(refuse()),
            None => Ok(JsonBytes::Bytes(bytes)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonBytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyBytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, DumpError> {
        let mut dump = JsonReader::new(text.as_bytes());
        let mut entries = Vec::new();
        while let Some(entry) = dump.next_entry()? {
            entries.push(format!("{entry:?}"));
        }
        Ok(entries)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut dump = JsonWriter::new(Vec::new());
        dump.record(b"a\"\n", b"\xff").unwrap();
        dump.table(Some("t")).unwrap();
        dump.record(b"", b"").unwrap();
        dump.table(Some("empty \\")).unwrap();
        dump.table(None).unwrap();
        dump.record(b"b", b"c").unwrap();
        let text = String::from_utf8(dump.finish().unwrap()).unwrap();
        let expected = [
            Entry::Record(b"a\"\n", b"\xff"),
            Entry::Table(Some("t")),
            Entry::Record(b"", b""),
            Entry::Table(Some("empty \\")),
            Entry::Table(None),
            Entry::Record(b"b", b"c"),
        ];
        assert_eq!(
            read(&text).unwrap(),
            expected.map(|entry| format!("{entry:?}")),
            "{text}"
        );
    }

    #[test]
    fn other_members_and_empty_lines_are_passed_over() {
        let text = "\n{\"value\":\"v\",\"more\":{\"a\":[1]},\"key\":{\"hex\":\"6b\"}}\n  \n{\"key\":\"\\u00e9\",\"value\":\"\"}";
        let expected = [
            Entry::Record(b"k", b"v"),
            Entry::Record("é".as_bytes(), b""),
        ];
        assert_eq!(
            read(text).unwrap(),
            expected.map(|entry| format!("{entry:?}"))
        );
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        for line in [
            "{\"key\":\"k\"}",
            "{\"value\":\"v\"}",
            "{}",
            "[]",
            "{\"key\":7,\"value\":\"v\"}",
            "{\"key\":\"k\",\"value\":{\"base64\":\"YQ==\",\"more\":1}}",
            "{\"key\":\"k\",\"val",
        ] {
            let text = format!("{{\"key\":\"k\",\"value\":\"v\"}}\n\n{line}\n");
            match read(&text) {
                Err(DumpError::Line { line: 3, .. }) => {}
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
