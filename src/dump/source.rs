//! [`RecordSource`]: where records come from, one after the other.

use super::DumpError;

/// What a source has next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// What follows is in the table of this name, or, without one, in the plain keys. A stream
    /// begins with the plain keys.
    Table(Option<&'a str>),
    /// A record.
    Record(&'a [u8], &'a [u8]),
}

/// Records that come one after the other, with the tables that they are in.
///
/// [`BinaryReader`](super::BinaryReader) and [`JsonReader`](super::JsonReader) are sources;
/// implement it to [load](super::Load) records from elsewhere.
pub trait RecordSource {
    /// The next entry, `None` at the end.
    ///
    /// # Errors
    /// Whatever keeps it from having one. It isn't asked again then.
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError>;
}

impl<S: RecordSource + ?Sized> RecordSource for &mut S {
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError> {
        (**self).next_entry()
    }
}

impl<S: RecordSource + ?Sized> RecordSource for Box<S> {
    fn next_entry(&mut self) -> Result<Option<Entry<'_>>, DumpError> {
        (**self).next_entry()
    }
}
