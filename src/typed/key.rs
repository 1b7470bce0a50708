//! [`Key`]: types whose encoding has the order of their values.

use super::error::EncodingError;

/// A type that can be the key of a table: its bytes have the order of its values.
///
/// | type | bytes | order |
/// |---|---|---|
/// | `u8` to `u128` | big endian | by value |
/// | `i8` to `i128` | big endian, sign bit flipped | by value |
/// | `bool` | 0 or 1 | `false` first |
/// | `char` | as `u32` | by code point |
/// | `f32`, `f64` | the bits, sign flipped; all bits if negative | [`total_cmp`](f64::total_cmp): −NaN, −∞ … −0.0, 0.0 … ∞, NaN |
/// | `String`, `Vec<u8>` | as they are; within another key with 0 as `00 FF`, and `00 00` at the end | by bytes, a prefix first |
/// | `[u8; N]` | as they are | by bytes |
/// | `Option<T>` | 0, or 1 and the value | `None` first |
/// | [`Reverse<T>`](std::cmp::Reverse) | those of `T`, complemented | descending |
/// | tuples of 2 to 6 | one after the other | by the first difference |
/// | `Duration` | seconds (8 bytes), nanoseconds (4) | by length |
/// | `SystemTime` | seconds since 1970 as `i64`, nanoseconds (4) | by time |
///
/// The order of floats isn't that of `<`: `0.0` and `-0.0` are two keys, and a NaN is found
/// again by the same bits only.
///
/// Sizes that depend on the platform (`usize`) aren't keys, since files move.
///
/// # An order of your own
///
/// Encode what should be compared, then whatever is needed to decode:
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
/// use lsmlite_rs::typed::{EncodingError, Key, TypedTable};
///
/// /// A name, ordered without regard to case; names that differ in case only are two keys.
/// #[derive(Debug, PartialEq)]
/// struct Name(String);
///
/// impl Key for Name {
///     type Ref<'a> = &'a str;
///     fn by_ref(&self) -> &str {
///         &self.0
///     }
///     fn encode(name: &str, out: &mut Vec<u8>) {
///         String::encode(&name.to_lowercase(), out);
///         String::encode(name, out);
///     }
///     fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
///         String::decode(input)?;
///         Ok(Name(String::decode(input)?))
///     }
/// }
///
/// const AGES: TypedTable<Name, u8> = TypedTable::new(b"ages/");
/// for (name, age) in [("bert", 8), ("Anna", 9), ("Cleo", 7)] {
///     AGES.insert(&mut db, name, age)?;
/// }
/// let names: Result<Vec<_>, _> = AGES.iter(&db).map(|record| record.map(|(k, _)| k.0)).collect();
/// assert_eq!(names?, ["Anna", "bert", "Cleo"]);
/// # Ok(()) }
/// ```
///
/// What an implementation must keep to, or records are lost or come in the wrong order:
/// [`decode`](Self::decode) gives back what [`encode`](Self::encode) got, no encoding is the
/// beginning of another one, and different keys have different encodings. That is the case for
/// whatever is composed of other keys one after the other.
pub trait Key: Sized + 'static {
    /// What keys are looked up by: the type itself if it is small, otherwise a borrowed form,
    /// such as `&str` for `String` and `(&str, u32)` for `(String, u32)`.
    type Ref<'a>: Copy;

    /// This key in the form that it is looked up by.
    fn by_ref(&self) -> Self::Ref<'_>;

    /// Appends the encoding, which says itself where it ends.
    fn encode(key: Self::Ref<'_>, out: &mut Vec<u8>);

    /// Takes a key from the beginning of `input`, and leaves the rest.
    ///
    /// # Errors
    /// The bytes aren't an encoding.
    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError>;

    /// Appends the encoding of a key that isn't part of another one: nothing comes after it.
    fn encode_alone(key: Self::Ref<'_>, out: &mut Vec<u8>) {
        Self::encode(key, out);
    }

    /// Reads what [`encode_alone`](Self::encode_alone) has written.
    ///
    /// # Errors
    /// The bytes aren't an encoding, or more than one.
    fn decode_alone(mut bytes: &[u8]) -> Result<Self, EncodingError> {
        let key = Self::decode(&mut bytes)?;
        match bytes.len() {
            0 => Ok(key),
            more => Err(EncodingError::new(format!("{more} bytes after the key"))),
        }
    }
}

/// The beginning of a key `K`: text for a `String`, the first elements for a tuple.
///
/// See [`TypedTable::prefix`](super::TypedTable::prefix).
pub trait KeyPrefix<K: Key> {
    /// Appends the bytes with which the encodings of all such keys begin, and of no others.
    fn encode_prefix(&self, out: &mut Vec<u8>);
}

/// The next `N` bytes.
pub(super) fn take<const N: usize>(
    input: &mut &[u8],
    what: &str,
) -> Result<[u8; N], EncodingError> {
    let Some((head, rest)) = input.split_first_chunk::<N>() else {
        let left = input.len();
        return Err(EncodingError::new(format!(
            "{left} bytes are left where {what} takes {N}"
        )));
    };
    *input = rest;
    Ok(*head)
}
