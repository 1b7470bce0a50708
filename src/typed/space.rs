//! The bytes of a table's keys: its prefix, and where it begins and ends.

use std::borrow::Cow;
use std::ops::Bound;

use super::key::Key;
use super::store::Bounds;
use crate::read::end_of_prefix;

/// A part of the database: the keys that begin with a prefix and, where there are several parts
/// behind one prefix, a tag.
#[derive(Clone, Debug)]
pub(super) struct Space {
    prefix: Cow<'static, [u8]>,
    tag: Option<u8>,
}

impl Space {
    pub(super) const fn new(prefix: Cow<'static, [u8]>, tag: Option<u8>) -> Self {
        Space { prefix, tag }
    }

    /// The first bytes of all keys.
    pub(super) fn start(&self) -> Vec<u8> {
        let mut start = self.prefix.to_vec();
        start.extend(self.tag);
        start
    }

    pub(super) fn start_len(&self) -> usize {
        self.prefix.len() + usize::from(self.tag.is_some())
    }

    pub(super) fn key<K: Key>(&self, key: K::Ref<'_>) -> Vec<u8> {
        let mut bytes = self.start();
        K::encode_alone(key, &mut bytes);
        bytes
    }

    /// The bounds in bytes of a range of keys.
    pub(super) fn bounds<K: Key>(
        &self,
        start: Bound<&K::Ref<'_>>,
        end: Bound<&K::Ref<'_>>,
    ) -> Bounds {
        let start = match start {
            Bound::Unbounded => Bound::Included(self.start()),
            bound => bound.map(|key| self.key::<K>(*key)),
        };
        let end = match end {
            Bound::Unbounded => end_of_prefix(&self.start()),
            bound => bound.map(|key| self.key::<K>(*key)),
        };
        (start, end)
    }
}
