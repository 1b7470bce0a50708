//! [`ValueFormat`]: how values become bytes.

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use super::error::EncodingError;

/// How a table stores values of the type `V`; the third parameter of
/// [`TypedTable`](super::TypedTable) and [`TtlTable`](super::TtlTable).
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::typed::{EncodingError, TypedTable, ValueFormat};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// Legible for programs in other languages.
/// struct Json;
///
/// impl<V: Serialize + DeserializeOwned> ValueFormat<V> for Json {
///     fn encode(value: &V, out: &mut Vec<u8>) -> Result<(), EncodingError> {
///         serde_json::to_writer(out, value).map_err(EncodingError::new)
///     }
///     fn decode(bytes: &[u8]) -> Result<V, EncodingError> {
///         serde_json::from_slice(bytes).map_err(EncodingError::new)
///     }
/// }
///
/// const TAGS: TypedTable<u64, Vec<String>, Json> = TypedTable::new(b"tags/");
/// TAGS.insert(&mut db, 7, vec!["red".to_string()])?;
/// assert_eq!(TAGS.get(&db, 7)?.unwrap(), ["red"]);
/// # Ok(()) }
/// ```
pub trait ValueFormat<V> {
    /// Appends the encoding.
    ///
    /// # Errors
    /// The value can't be encoded; nothing is stored then.
    fn encode(value: &V, out: &mut Vec<u8>) -> Result<(), EncodingError>;

    /// Reads all of `bytes`.
    ///
    /// # Errors
    /// The bytes aren't an encoding.
    fn decode(bytes: &[u8]) -> Result<V, EncodingError>;
}

/// The default format: serde by way of [postcard](https://docs.rs/postcard), compact and
/// documented.
///
/// It stores neither names nor types. Fields that are added, removed or reordered change the
/// format, and old values then are errors or, worse, nonsense; variants may be added at the end
/// of an enum. For values that will change keep an enum of versions, or a table for each.
/// Types for which serde needs to see what it reads (`#[serde(untagged)]`, `serde_json::Value`)
/// can't be read back. From a file that somebody else may have written, don't read recursive
/// types: the depth isn't limited.
#[derive(Copy, Clone, Debug)]
pub struct Postcard;

impl<V: Serialize + DeserializeOwned> ValueFormat<V> for Postcard {
    fn encode(value: &V, out: &mut Vec<u8>) -> Result<(), EncodingError> {
        *out = postcard::to_extend(value, std::mem::take(out)).map_err(EncodingError::new)?;
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<V, EncodingError> {
        let (value, rest) = postcard::take_from_bytes(bytes).map_err(EncodingError::new)?;
        match rest.len() {
            0 => Ok(value),
            more => Err(EncodingError::new(format!("{more} bytes after the value"))),
        }
    }
}

/// Bytes as they are: for `Vec<u8>`, `String`, `[u8; N]` and `()`.
#[derive(Copy, Clone, Debug)]
pub struct Raw;

impl ValueFormat<Vec<u8>> for Raw {
    fn encode(value: &Vec<u8>, out: &mut Vec<u8>) -> Result<(), EncodingError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<Vec<u8>, EncodingError> {
        Ok(bytes.to_vec())
    }
}

impl ValueFormat<String> for Raw {
    fn encode(value: &String, out: &mut Vec<u8>) -> Result<(), EncodingError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<String, EncodingError> {
        String::from_utf8(bytes.to_vec()).map_err(EncodingError::new)
    }
}

impl<const N: usize> ValueFormat<[u8; N]> for Raw {
    fn encode(value: &[u8; N], out: &mut Vec<u8>) -> Result<(), EncodingError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<[u8; N], EncodingError> {
        let wrong = |_| EncodingError::new(format!("{} bytes instead of {N}", bytes.len()));
        bytes.try_into().map_err(wrong)
    }
}

impl ValueFormat<()> for Raw {
    fn encode((): &(), _: &mut Vec<u8>) -> Result<(), EncodingError> {
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Result<(), EncodingError> {
        <Raw as ValueFormat<[u8; 0]>>::decode(bytes).map(|_| ())
    }
}
