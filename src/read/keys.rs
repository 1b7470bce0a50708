//! [`LsmKeys`]: the keys of a range, without their values.

use std::iter::FusedIterator;

use super::LsmRange;
use crate::error::LsmError;

/// The keys of a range; made by [`LsmRange::keys`]. Values aren't read.
#[must_use = "iterators do nothing unless consumed"]
#[derive(Debug)]
pub struct LsmKeys<'a>(pub(super) LsmRange<'a>);

impl Iterator for LsmKeys<'_> {
    type Item = Result<Vec<u8>, LsmError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_key()
    }
}

impl DoubleEndedIterator for LsmKeys<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_key_back()
    }
}

impl FusedIterator for LsmKeys<'_> {}
