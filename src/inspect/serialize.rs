//! Maps in serde's terms. Keys are as in a dump as JSON: a string, or `{"base64": "…"}`.

use serde_core::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::{
    FileInfo, FileLayout, FileMap, LevelInfo, LogRegion, Owner, Region, SegmentContents,
    SegmentInfo, SegmentMap, SegmentRole,
};
use crate::dump::Encoding;

/// All fields of a struct, by name.
macro_rules! fields {
    ($($name:ident: $($field:ident),+;)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let count = [$(stringify!($field)),+].len();
                let mut out = serializer.serialize_struct(stringify!($name), count)?;
                $(out.serialize_field(stringify!($field), &self.$field)?;)+
                out.end()
            }
        }
    )+};
}

fields! {
    FileInfo: file_bytes, log_bytes, log_transactions, checkpoints, layout;
    FileLayout: checkpoint, codec, codec_id, page_checksums, page_size_bytes, block_size_kib,
        blocks, free_blocks, pages_written, levels;
    LevelInfo: segments;
    SegmentInfo: first_page, last_page, bytes, blocks;
    FileMap: info, segments, free_blocks, reserved_blocks, unlisted_blocks, regions, log,
        problems, is_readable;
    SegmentContents: data_pages, btree_pages, records, deletions, page_bytes, used_bytes;
    Region: start, end, owner;
    LogRegion: start, end, is_pending;
}

impl Serialize for SegmentMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("SegmentMap", 9)?;
        out.serialize_field("level", &self.level)?;
        out.serialize_field("segment", &self.segment)?;
        out.serialize_field("role", &self.role)?;
        out.serialize_field("pages", &self.pages)?;
        out.serialize_field("has_btree", &self.has_btree)?;
        out.serialize_field("first_key", &self.first_key.as_deref().map(Key))?;
        out.serialize_field("last_key", &self.last_key.as_deref().map(Key))?;
        out.serialize_field("unmerged_bytes", &self.unmerged_bytes)?;
        out.serialize_field("contents", &self.contents)?;
        out.end()
    }
}

struct Key<'a>(&'a [u8]);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut out = serializer.serialize_map(Some(1))?;
                out.serialize_entry("base64", &Encoding::Base64.encode(self.0))?;
                out.end()
            }
        }
    }
}

impl Serialize for SegmentRole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (index, variant) = match self {
            SegmentRole::Level => (0, "Level"),
            SegmentRole::MergeOutput => (1, "MergeOutput"),
            SegmentRole::MergeInput => (2, "MergeInput"),
        };
        serializer.serialize_unit_variant("SegmentRole", index, variant)
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (index, variant) = match self {
            Owner::HeaderPages => (0, "HeaderPages"),
            Owner::Segment(n) => {
                return serializer.serialize_newtype_variant("Owner", 1, "Segment", n);
            }
            Owner::Free => (2, "Free"),
            Owner::Reserved => (3, "Reserved"),
            Owner::Unused => (4, "Unused"),
            Owner::Unlisted => (5, "Unlisted"),
            Owner::Tail => (6, "Tail"),
        };
        serializer.serialize_unit_variant("Owner", index, variant)
    }
}
