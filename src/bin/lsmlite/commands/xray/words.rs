//! What is said of a map, in every rendering.

use std::path::Path;

use lsmlite_rs::dump::Encoding;
use lsmlite_rs::inspect::{FileMap, Owner, SegmentMap, SegmentRole};

use crate::report::{count, grouped, short};

/// The keys of tables begin with these bytes and a number of four.
const TABLE: &[u8] = b"\xff\xfeLsmTb\x01";

/// What stands for an owner. Letters come again after 52 segments.
pub fn letter(owner: Owner) -> char {
    match owner {
        Owner::Segment(n) => {
            let n = u8::try_from(n % 52).unwrap_or(0);
            char::from(if n < 26 { b'A' + n } else { b'a' + n - 26 })
        }
        Owner::HeaderPages => '#',
        Owner::Free => '.',
        Owner::Unused => '-',
        Owner::Reserved => '+',
        Owner::Tail => '_',
        _ => '?',
    }
}

/// What an owner is, other than a segment.
pub fn name(owner: Owner) -> &'static str {
    match owner {
        Owner::HeaderPages => "header pages",
        Owner::Free => "free blocks",
        Owner::Unused => "unused parts of blocks",
        Owner::Reserved => "taken for pages to come",
        Owner::Tail => "behind the last block",
        _ => "not accounted for",
    }
}

/// Owners other than segments, with their bytes, as far as the file has them.
pub fn others(map: &FileMap) -> Vec<(Owner, u64)> {
    let all = [
        Owner::HeaderPages,
        Owner::Free,
        Owner::Unused,
        Owner::Reserved,
        Owner::Unlisted,
        Owner::Tail,
    ];
    let all = all.map(|owner| (owner, owned(map, owner)));
    all.into_iter().filter(|(_, bytes)| *bytes > 0).collect()
}

/// Bytes of the file that an owner has.
pub fn owned(map: &FileMap, owner: Owner) -> u64 {
    let regions = map.regions.iter().filter(|region| region.owner == owner);
    regions.map(|region| region.end - region.start).sum()
}

/// A part of a whole, in percent.
pub fn percent(part: u64, whole: u64) -> String {
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    match percent {
        0.0 => "0 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p if p < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// Bytes for people; whole numbers without a fraction.
pub fn size(bytes: u64) -> String {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let whole = units.into_iter().find(|(_, shift)| {
        (1..1024).contains(&(bytes >> shift)) && bytes % (1 << shift) == 0
    });
    match whole {
        Some((unit, shift)) => format!("{} {unit}", bytes >> shift),
        None => short(bytes),
    }
}

/// The name of the file, with nothing in it that isn't text.
pub fn file_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    Encoding::Text.encode(name.as_encoded_bytes())
}

/// What the file is: a few short lines.
pub fn summary(map: &FileMap) -> Vec<String> {
    let mut lines = Vec::new();
    let bytes = crate::report::bytes(map.info.file_bytes);
    let Some(layout) = &map.info.layout else {
        lines.push(format!("{bytes}; nothing was written to the file yet"));
        lines.extend(log(map));
        return lines;
    };
    lines.push(format!("{bytes}, checkpoint {}", grouped(layout.checkpoint)));
    let codec = match layout.codec {
        "none" => "no codec".to_owned(),
        "unknown" | "zstd-dictionary" => format!(
            "a codec that isn't known here, {}: keys and free blocks weren't read",
            layout.codec_id
        ),
        codec => codec.to_owned(),
    };
    let free = match map.free_blocks.len() {
        0 => "none of them free".to_owned(),
        n => format!("{} of them free", grouped(n as u64)),
    };
    lines.push(format!(
        "pages of {} in {} of {}, {free}; {codec}{}",
        size(layout.page_size_bytes.into()),
        count(layout.blocks.into(), "block"),
        size(u64::from(layout.block_size_kib) * 1024),
        if layout.page_checksums { ", with page checksums" } else { "" },
    ));
    lines.extend(log(map));
    lines
}

/// The log, if there is one.
pub fn log(map: &FileMap) -> Option<String> {
    let bytes = map.info.log_bytes?;
    let pending = map.log.iter().filter(|region| region.is_pending);
    let pending: u64 = pending.map(|region| region.end - region.start).sum();
    let transactions = count(map.info.log_transactions, "transaction");
    Some(match map.info.log_transactions {
        0 => format!("log of {}: all of it is in the file already", size(bytes)),
        _ => format!(
            "log of {}: {} of it hold {transactions} that the file hasn't yet",
            size(bytes),
            size(pending)
        ),
    })
}

/// What a segment is.
pub fn segment_name(segment: &SegmentMap) -> String {
    let level = segment.level;
    match segment.role {
        SegmentRole::MergeOutput => format!("level {level}, merged so far"),
        SegmentRole::MergeInput => format!("level {level}, to be merged"),
        _ => format!("level {level}"),
    }
}

/// Sizes of a segment, for columns.
pub struct Facts {
    pub size: String,
    pub pages: String,
    pub share: String,
    pub fill: String,
}

pub fn facts(map: &FileMap, index: usize) -> Facts {
    let info = map.segment(index);
    let bytes = info.and_then(|info| info.bytes);
    let blocks = info.map_or(0, |info| info.blocks.len() as u64);
    let block_kib = map.info.layout.as_ref().map_or(0, |layout| layout.block_size_kib);
    let room = blocks * u64::from(block_kib) * 1024;
    let pages = map.segments.get(index).and_then(|segment| segment.pages);
    Facts {
        size: bytes.map_or("damaged".to_owned(), size),
        pages: pages.map_or(String::new(), |pages| count(pages, "page")),
        share: bytes.map_or(String::new(), |n| percent(n, map.info.file_bytes)),
        fill: match bytes {
            Some(n) => format!("{} of {}", percent(n, room), count(blocks, "block")),
            None => String::new(),
        },
    }
}

/// How far the merge of a level is, if there is one.
pub fn merge(map: &FileMap, level: usize) -> Option<String> {
    let all = || map.segments.iter().enumerate();
    let inputs = || all().filter(|(_, s)| s.level == level && s.role == SegmentRole::MergeInput);
    let output = all().find(|(_, s)| s.level == level && s.role == SegmentRole::MergeOutput)?;
    let done = map.segment(output.0)?.bytes?;
    let left: u64 = inputs().filter_map(|(_, segment)| segment.unmerged_bytes).sum();
    let count = count(inputs().count() as u64, "run");
    Some(format!(
        "level {level} is merged from {count}: {} written, {} to read",
        size(done),
        size(left)
    ))
}

/// What is on the pages of a segment, if they were read.
pub fn contents(segment: &SegmentMap) -> Option<String> {
    let contents = segment.contents?;
    Some(format!(
        "{}, {} of b-tree, {} full; {}, {}",
        count(contents.data_pages, "page"),
        grouped(contents.btree_pages),
        percent(contents.used_bytes, contents.page_bytes),
        count(contents.records, "record"),
        count(contents.deletions, "deletion"),
    ))
}

/// The range of a segment's keys in so many characters at most; `dots` stand for what is left out.
pub fn keys(map: &FileMap, segment: &SegmentMap, most: usize, dots: &str) -> String {
    let (Some(first), Some(last)) = (&segment.first_key, &segment.last_key) else {
        return match segment.unmerged_bytes {
            Some(0) => "merged to its end".to_owned(),
            _ if map.is_readable && map.problems.is_empty() => "no keys, only the list of free blocks".to_owned(),
            _ => String::new(),
        };
    };
    let each = (most.saturating_sub(8) / 2).max(4);
    format!("{} {dots} {}", key(first, each, dots), key(last, each, dots))
}

/// A key in so many characters, and quotes around it.
pub fn key(bytes: &[u8], most: usize, dots: &str) -> String {
    let in_table = bytes.strip_prefix(TABLE).and_then(|rest| rest.split_first_chunk::<4>());
    let (table, bytes) = match in_table {
        Some((number, rest)) => (format!("table {} ", u32::from_be_bytes(*number)), rest),
        None => (String::new(), bytes),
    };
    let most = most.saturating_sub(table.chars().count()).max(4);
    let mut len = bytes.len().min(4 * most);
    let mut whole = len == bytes.len();
    loop {
        // Not amid a character.
        let amid = |len: usize| bytes.get(len).is_some_and(|byte| byte & 0xc0 == 0x80);
        if !whole && std::str::from_utf8(bytes).is_ok() {
            while len > 0 && amid(len) {
                len -= 1;
            }
        }
        let text = Encoding::Text.encode(&bytes[..len]);
        let dots = if whole { "" } else { dots };
        if text.chars().count() + dots.chars().count() <= most || len == 0 {
            return format!("{table}\"{text}{dots}\"");
        }
        (len, whole) = (len - 1, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shortened_between_characters_and_escapes() {
        assert_eq!(key(b"Oslo", 10, ".."), "\"Oslo\"");
        assert_eq!(key(b"0123456789", 10, ".."), "\"0123456789\"");
        assert_eq!(key(b"0123456789a", 10, ".."), "\"01234567..\"");
        assert_eq!(key(&[0xff; 9], 10, ".."), r#""\xff\xff..""#);
        assert_eq!(key("malmöö".as_bytes(), 6, ".."), "\"malmöö\"");
        assert_eq!(key("öööööööö".as_bytes(), 7, "…"), "\"öööööö…\"");
        assert_eq!(key(b"", 4, ".."), "\"\"");
        assert_eq!(key(b"\xff\xfeLsmTb\x01\0\0\0\x02Anna", 20, ".."), "table 2 \"Anna\"");
    }

    #[test]
    fn whole_sizes_have_no_fraction() {
        let sizes = [1023, 4096, 10_240, 1 << 20, 1_234_567, 5 << 40].map(size);
        let texts = ["1,023 bytes", "4 KiB", "10 KiB", "1 MiB", "1.2 MiB", "5 TiB"];
        assert_eq!(sizes, texts);
    }

    #[test]
    fn shares_are_readable() {
        let shares = [(0, 9), (1, 1999), (1, 100), (99, 1000), (996, 10_000), (1, 1)];
        let texts = shares.map(|(part, whole)| percent(part, whole));
        assert_eq!(texts, ["0 %", "<0.1 %", "1.0 %", "9.9 %", "10 %", "100 %"]);
    }
}
