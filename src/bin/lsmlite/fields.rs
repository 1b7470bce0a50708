//! Records out of JSON lines and CSV whose fields are chosen by name.

use std::io::BufRead;

use csv::ByteRecord;
use lsmlite_rs::dump::{DumpError, Encoding, Entry, RecordSource};
use serde_json::Map;
use serde_json::value::RawValue;

/// Which fields make a record.
pub struct Fields {
    /// `None`: `key`, and `value` for the other one.
    pub key: Option<String>,
    /// `None`: the whole line, if the key was chosen.
    pub value: Option<String>,
    /// `None`: the bytes are as they are.
    pub key_encoding: Option<Encoding>,
    pub value_encoding: Option<Encoding>,
}

impl Fields {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("key")
    }

    /// `None`: the whole line.
    fn value(&self) -> Option<&str> {
        match (&self.key, &self.value) {
            (None, None) => Some("value"),
            (_, value) => value.as_deref(),
        }
    }
}

fn refuse(line: u64, problem: impl Into<String>) -> DumpError {
    DumpError::Line {
        line,
        problem: problem.into(),
    }
}

fn decode(encoding: Option<Encoding>, field: &[u8], line: u64) -> Result<Vec<u8>, DumpError> {
    match encoding {
        None => Ok(field.to_vec()),
        Some(encoding) => encoding
            .decode(field)
            .map_err(|error| refuse(line, error.to_string())),
    }
}

/// Objects on lines.
pub struct JsonFields<R> {
    input: R,
    fields: Fields,
    number: u64,
    text: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<R: BufRead> JsonFields<R> {
    pub fn new(input: R, fields: Fields) -> JsonFields<R> {
        JsonFields {
            input,
            fields,
            number: 0,
            text: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The bytes of a field: of a string its text, of anything else its JSON.
    fn field(
        &self,
        object: &std::collections::BTreeMap<String, &RawValue>,
        name: &str,
        encoding: Option<Encoding>,
    ) -> Result<Vec<u8>, DumpError> {
        let Some(value) = object.get(name) else {
            return Err(refuse(self.number, format!("there is no field {name}")));
        };
        match serde_json::from_str::<String>(value.get()) {
            Ok(text) => decode(encoding, text.as_bytes(), self.number),
            Err(_) => Ok(value.get().as_bytes().to_vec()),
        }
    }
}

impl<R: BufRead> RecordSource for JsonFields<R> {
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError> {
        loop {
            self.text.clear();
            if self.input.read_until(b'\n', &mut self.text)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !self.text.trim_ascii().is_empty() {
                break;
            }
        }
        let object = serde_json::from_slice(&self.text)
            .map_err(|error| refuse(self.number, format!("this is no JSON object: {error}")))?;
        let key = self.field(&object, self.fields.key(), self.fields.key_encoding)?;
        let value = match self.fields.value() {
            Some(name) => self.field(&object, name, self.fields.value_encoding)?,
            None => self.text.trim_ascii().to_vec(),
        };
        drop(object);
        (self.key, self.value) = (key, value);
        Ok(Some(Entry::Record(&self.key, &self.value)))
    }
}

/// Rows of CSV, with the names of the columns in the first one.
pub struct CsvFields<R> {
    input: csv::Reader<R>,
    fields: Fields,
    names: Vec<String>,
    key_column: usize,
    value_column: Option<usize>,
    row: ByteRecord,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<R: BufRead> CsvFields<R> {
    pub fn new(input: R, fields: Fields) -> Result<CsvFields<R>, DumpError> {
        let mut input = csv::Reader::from_reader(input);
        let names: Vec<String> = match input.headers() {
            Ok(names) => names.iter().map(str::to_owned).collect(),
            Err(error) => return Err(problem(error)),
        };
        let column = |name: &str| {
            let found = names.iter().position(|column| column == name);
            found.ok_or_else(|| {
                refuse(
                    1,
                    format!("there is no column {name}, but {}", names.join(", ")),
                )
            })
        };
        let key_column = column(fields.key())?;
        let value_column = match fields.value() {
            Some(name) => Some(column(name)?),
            None => None,
        };
        Ok(CsvFields {
            input,
            fields,
            names,
            key_column,
            value_column,
            row: ByteRecord::new(),
            key: Vec::new(),
            value: Vec::new(),
        })
    }
}

impl<R: BufRead> RecordSource for CsvFields<R> {
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError> {
        if !self
            .input
            .read_byte_record(&mut self.row)
            .map_err(problem)?
        {
            return Ok(None);
        }
        let line = self.row.position().map_or(0, csv::Position::line);
        let field = |column: usize| self.row.get(column).unwrap_or_default();
        self.key = decode(self.fields.key_encoding, field(self.key_column), line)?;
        self.value = match self.value_column {
            Some(column) => decode(self.fields.value_encoding, field(column), line)?,
            None => {
                let pairs = self.names.iter().zip(&self.row);
                let pairs = pairs.map(|(name, field)| {
                    (
                        name.clone(),
                        String::from_utf8_lossy(field).into_owned().into(),
                    )
                });
                serde_json::Value::Object(pairs.collect::<Map<_, _>>())
                    .to_string()
                    .into_bytes()
            }
        };
        Ok(Some(Entry::Record(&self.key, &self.value)))
    }
}

fn problem(error: csv::Error) -> DumpError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => refuse(
            line,
            format!("the row has {len} fields instead of {expected_len}"),
        ),
        csv::ErrorKind::Utf8 { .. } => refuse(line, "the names of the columns aren't UTF-8"),
        _ => refuse(line, "this is no CSV"),
    }
}
