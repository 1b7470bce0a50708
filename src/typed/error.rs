//! What an encoding can say about bytes or values that it can't handle.

use std::fmt;
use std::path::Path;

use crate::error::{LsmError, LsmErrorCode};

/// Why bytes aren't a key or value of the type, or a value can't be encoded.
///
/// Tables return it as the message of an [`LsmError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodingError(String);

impl EncodingError {
    /// An error with this explanation, or that of another error.
    pub fn new(explanation: impl fmt::Display) -> Self {
        EncodingError(explanation.to_string())
    }
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EncodingError {}

/// More of a key than this is left out of messages.
const SHOWN_BYTES: usize = 32;

/// That a stored record isn't of the table's types.
pub(super) fn undecodable(
    part: &'static str,
    path: Option<&Path>,
    key: &[u8],
    why: EncodingError,
) -> LsmError {
    let shown = &key[..key.len().min(SHOWN_BYTES)];
    let more = if shown.len() < key.len() { "…" } else { "" };
    let error = LsmError::new(part, LsmErrorCode::LsmCorrupt)
        .with_message(format!(
            "the record with the key b\"{}{more}\" isn't one of this table: {why}",
            shown.escape_ascii()
        ))
        .with_advice("was it written with other types, or without the table?");
    at(error, path)
}

/// That a value can't be stored.
pub(super) fn unencodable(path: Option<&Path>, why: EncodingError) -> LsmError {
    let error = LsmError::new("encode a value", LsmErrorCode::LsmConversionErr)
        .with_message(why.to_string())
        .with_advice("the table's format can't store this value");
    at(error, path)
}

fn at(error: LsmError, path: Option<&Path>) -> LsmError {
    match path {
        Some(path) => error.with_path(path),
        None => error,
    }
}
