//! Dumps: the records of a database as a stream, for other places, programs and versions.
//!
//! A [`Dump`] writes records to a [`RecordSink`], and a [`Load`] inserts those of a
//! [`RecordSource`]. There are two forms: [binary](BinaryWriter), compact and with checksums, and
//! [JSON lines](JsonWriter), for other programs. [`Encoding`] is for keys and values as text.
//! The command `lsmlite` has all of it as `dump` and `load`.

mod binary;
mod dumper;
mod encoding;
mod error;
mod json;
mod load;
mod source;

use std::io::BufRead;

pub use binary::{BinaryReader, BinaryWriter, DumpPosition, Origin};
pub use dumper::{Dump, RecordSink};
pub use encoding::{Encoding, EncodingError};
pub use error::DumpError;
pub use json::{JsonReader, JsonWriter};
pub use load::{Load, LoadProgress, LoadReport};
pub use source::{Entry, RecordSource};

/// A reader for whichever form the stream begins like.
///
/// # Errors
/// [`DumpError::NotADump`] and [`DumpError::Version`]; the stream fails.
pub fn any_reader<'a>(
    mut input: impl BufRead + 'a,
) -> Result<Box<dyn RecordSource + 'a>, DumpError> {
    let begin = loop {
        let (first, len) = {
            let buffer = input.fill_buf()?;
            let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace());
            (buffer.first().copied(), blank.count())
        };
        match first {
            Some(byte) if byte.is_ascii_whitespace() => input.consume(len),
            first => break first,
        }
    };
    match begin {
        // Nothing at all: JSON lines of an empty database.
        Some(b'{') | None => Ok(Box::new(JsonReader::new(input))),
        Some(first) if first == binary::MAGIC[0] => Ok(Box::new(BinaryReader::new(input)?)),
        Some(_) => Err(DumpError::NotADump),
    }
}
