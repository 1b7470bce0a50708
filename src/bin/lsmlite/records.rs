//! Records on the command line and on stdout: encodings of keys and values, text, JSON and CSV.

use std::ffi::OsStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use lsmlite_rs::dump::Encoding;

use crate::exit::Failure;
use crate::output::Output;

/// How keys and values are written.
#[derive(Args)]
pub struct Encodings {
    /// How keys and values are written, in arguments and in the output
    #[arg(short, long, value_name = "ENCODING", value_parser = encoding())]
    encoding: Option<Encoding>,
    /// The same for keys only
    #[arg(long, value_name = "ENCODING", value_parser = encoding(), hide_possible_values = true)]
    key_encoding: Option<Encoding>,
    /// The same for values only
    #[arg(long, value_name = "ENCODING", value_parser = encoding(), hide_possible_values = true)]
    value_encoding: Option<Encoding>,
}

/// What records look like on stdout.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line each: key, tab, value
    Text,
    /// An object on a line each
    Json,
    /// With a line of names first
    Csv,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Csv => "csv",
        }
    }
}

/// How to print records.
#[derive(Args)]
pub struct Printing {
    /// What the output looks like [default: text]
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    pub encodings: Encodings,
}

/// What holds for records unless a command says otherwise.
#[derive(Clone, Default)]
pub struct Defaults {
    pub format: Option<Format>,
    pub keys: Option<Encoding>,
    pub values: Option<Encoding>,
    pub table: Option<String>,
}

impl Printing {
    pub fn format(&self) -> Format {
        self.format.unwrap_or(Format::Text)
    }

    pub fn default_to(&mut self, defaults: &Defaults) {
        self.format = self.format.or(defaults.format);
        self.encodings.default_to(defaults);
    }
}

pub fn encoding() -> impl TypedValueParser<Value = Encoding> {
    PossibleValuesParser::new(Encoding::ALL.map(Encoding::name))
        .try_map(|name| name.parse::<Encoding>())
}

impl Encodings {
    /// That of keys in arguments.
    pub fn of_keys(&self) -> Encoding {
        self.given_of_keys().unwrap_or_default()
    }

    /// That of keys, if one was said.
    pub fn given_of_keys(&self) -> Option<Encoding> {
        self.key_encoding.or(self.encoding)
    }

    /// That of values, if one was said.
    pub fn given_of_values(&self) -> Option<Encoding> {
        self.value_encoding.or(self.encoding)
    }

    pub fn default_to(&mut self, defaults: &Defaults) {
        self.key_encoding = self.given_of_keys().or(defaults.keys);
        self.value_encoding = self.given_of_values().or(defaults.values);
    }

    /// True if one was said.
    pub fn is_given(&self) -> bool {
        self.given_of_keys().is_some() || self.given_of_values().is_some()
    }

    /// That of values in arguments.
    pub fn of_values(&self) -> Encoding {
        self.given_of_values().unwrap_or_default()
    }
}

/// The bytes that an argument means.
pub fn decode(encoding: Encoding, text: &OsStr) -> Result<Vec<u8>, Failure> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(text);
    #[cfg(not(unix))]
    let bytes = text.as_encoded_bytes();
    encoding.decode(bytes).map_err(|error| {
        let advice = match encoding {
            Encoding::Text => "write a backslash as two",
            _ => "or choose another --encoding",
        };
        Failure::usage(format!("{}: {error}", text.to_string_lossy())).with_advice(advice)
    })
}

/// Prints records.
pub struct Printer {
    out: Output,
    format: Format,
    keys: Encoding,
    /// None: keys only.
    values: Option<Encoding>,
    line: String,
    field: String,
}

impl Printer {
    pub fn new(printing: &Printing, keys_only: bool) -> Result<Printer, Failure> {
        let (format, encodings) = (printing.format(), &printing.encodings);
        let usual = match format {
            Format::Json => Encoding::Json,
            Format::Text | Format::Csv => Encoding::Text,
        };
        let values = encodings.given_of_values().unwrap_or(usual);
        let mut printer = Printer {
            out: Output::new(),
            format,
            keys: encodings.given_of_keys().unwrap_or(usual),
            values: (!keys_only).then_some(values),
            line: String::new(),
            field: String::new(),
        };
        if format == Format::Csv {
            printer
                .out
                .line(if keys_only { "key" } else { "key,value" })?;
        }
        Ok(printer)
    }

    pub fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.line.clear();
        match self.format {
            Format::Text => {
                self.keys.encode_into(key, &mut self.line);
                if let Some(values) = self.values {
                    self.line.push('\t');
                    values.encode_into(value, &mut self.line);
                }
            }
            Format::Json => {
                self.line.push_str("{\"key\":");
                self.json(self.keys, key);
                if let Some(values) = self.values {
                    self.line.push_str(",\"value\":");
                    self.json(values, value);
                }
                self.line.push('}');
            }
            Format::Csv => {
                self.csv(self.keys, key);
                if let Some(values) = self.values {
                    self.line.push(',');
                    self.csv(values, value);
                }
            }
        }
        self.line.push('\n');
        self.out.write(self.line.as_bytes())
    }

    fn json(&mut self, encoding: Encoding, bytes: &[u8]) {
        if encoding == Encoding::Json {
            return encoding.encode_into(bytes, &mut self.line);
        }
        self.field.clear();
        encoding.encode_into(bytes, &mut self.field);
        Encoding::Json.encode_into(self.field.as_bytes(), &mut self.line);
    }

    fn csv(&mut self, encoding: Encoding, bytes: &[u8]) {
        self.field.clear();
        encoding.encode_into(bytes, &mut self.field);
        csv_field(&self.field, &mut self.line);
    }

    pub fn finish(self) -> Result<(), Failure> {
        self.out.finish()
    }
}

/// A field as in RFC 4180: in quotes if it needs them.
pub fn csv_field(field: &str, line: &mut String) {
    if field.contains(['"', ',', '\n', '\r']) || field.is_empty() {
        line.push('"');
        line.push_str(&field.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(field);
    }
}
