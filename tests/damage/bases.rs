//! The healthy databases that the cases mutate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsmlite_rs::compression::{CodecError, Compression, PageCodec};
use lsmlite_rs::config::Safety;
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder};

use crate::common::{Result, SplitMix64};

/// How the pages of a base are packed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    None,
    /// Not at all, but as records of varying size: a mutation gets through to the page.
    Copy,
    Lz4,
    Zstd,
}

/// What a base looks like.
#[derive(Copy, Clone, Debug)]
pub struct Recipe {
    pub name: &'static str,
    pub page: u32,
    pub block_kib: u32,
    pub codec: Codec,
    pub rows: u32,
    /// How many free blocks the checkpoint lists; with few, the rest goes into the tree.
    pub free_list: u32,
    pub end: End,
}

/// How the last process left it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum End {
    Closed,
    /// All in one run, so that blocks were moved and are redirected.
    Compacted,
    /// A merge is left part-way.
    Merging,
    /// Copied while it was open: as after a crash, with a log.
    Crashed,
}

const fn recipe(
    name: &'static str,
    (page, block_kib): (u32, u32),
    codec: Codec,
    rows: u32,
    free_list: u32,
    end: End,
) -> Recipe {
    Recipe {
        name,
        page,
        block_kib,
        codec,
        rows,
        free_list,
        end,
    }
}

pub const RECIPES: [Recipe; 14] = [
    recipe("smallest", (256, 64), Codec::None, 300, 24, End::Closed),
    recipe(
        "small-merging",
        (256, 64),
        Codec::None,
        900,
        2,
        End::Merging,
    ),
    recipe("deep", (512, 64), Codec::None, 1200, 24, End::Merging),
    recipe("free-blocks", (1024, 64), Codec::None, 1500, 2, End::Closed),
    recipe("moved", (1024, 64), Codec::None, 1500, 2, End::Compacted),
    recipe("default", (4096, 64), Codec::None, 1000, 24, End::Merging),
    recipe("large", (8192, 64), Codec::None, 1000, 2, End::Crashed),
    recipe("largest", (65_536, 512), Codec::None, 300, 24, End::Merging),
    recipe("copy-small", (256, 64), Codec::Copy, 900, 2, End::Merging),
    recipe("copy", (1024, 64), Codec::Copy, 1200, 2, End::Compacted),
    recipe("copy-crash", (4096, 64), Codec::Copy, 800, 24, End::Crashed),
    recipe("lz4", (1024, 64), Codec::Lz4, 1500, 2, End::Merging),
    recipe("zstd", (4096, 64), Codec::Zstd, 1000, 24, End::Crashed),
    recipe("crash", (1024, 64), Codec::None, 900, 24, End::Crashed),
];

/// A codec that only copies.
pub struct Copying;

fn copy(from: &[u8], to: &mut [u8]) -> std::result::Result<usize, CodecError> {
    to.get_mut(..from.len())
        .ok_or_else(|| CodecError::new("no room"))?
        .copy_from_slice(from);
    Ok(from.len())
}

impl PageCodec for Copying {
    fn id(&self) -> u32 {
        20_007
    }

    fn bound(&self, plain_len: usize) -> usize {
        plain_len
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        copy(plain, out)
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> std::result::Result<usize, CodecError> {
        copy(packed, out)
    }
}

impl Recipe {
    /// A builder that knows the codec. Nothing is synced: these tests don't cut the power.
    pub fn builder(&self) -> LsmDbBuilder {
        let builder = LsmDb::builder()
            .safety(Safety::Off)
            .page_size_bytes(self.page)
            .block_size_kib(self.block_kib)
            .autoflush_kib(8)
            .autocheckpoint_kib(64)
            .automerge_segments(3)
            .max_free_list(self.free_list);
        match self.codec {
            Codec::None => builder,
            Codec::Copy => builder.codec(Arc::new(Copying)),
            Codec::Lz4 => builder.compression(Compression::Lz4 { level: 1 }),
            Codec::Zstd => builder.compression(Compression::Zstd { level: 1 }),
        }
    }

    pub fn path(&self, dir: &Path) -> PathBuf {
        dir.join(self.name).with_extension("lsm")
    }

    /// Makes the database in `dir`.
    pub fn build(&self, dir: &Path) -> Result {
        let path = self.path(dir);
        let mut random = SplitMix64::new(7);
        let mut db = self.builder().open(&path)?;
        for row in 0..self.rows {
            change(&mut db, &mut random, row, self.page)?;
            if row % 50 == 20 {
                db.work(16)?;
            }
            if row % 100 == 70 {
                db.checkpoint()?;
            }
        }
        match self.end {
            End::Closed => {}
            End::Compacted => {
                db.compact()?;
                db.insert("after", "compaction")?;
                db.flush()?;
            }
            End::Merging => {
                db.flush()?;
                db.work(4)?;
            }
            End::Crashed => {
                db.checkpoint()?;
                for row in 0..40 {
                    change(&mut db, &mut random, row, self.page)?;
                }
                let open = dir.join("open.lsm");
                std::fs::copy(&path, &open)?;
                std::fs::copy(log_of(&path), log_of(&open))?;
                db.close()?;
                std::fs::rename(log_of(&open), log_of(&path))?;
                std::fs::rename(&open, &path)?;
                return Ok(());
            }
        }
        Ok(db.close()?)
    }
}

pub fn key(n: u64) -> Vec<u8> {
    match n % 9 {
        0 => [vec![b'p'; 200], n.to_string().into_bytes()].concat(),
        1 => Vec::from(&n.to_be_bytes()[6..]),
        _ => format!("key-{:05}", n * 7919 % 100_000).into_bytes(),
    }
}

/// One write of a base: mostly an insertion, some with values of several pages.
fn change(db: &mut LsmDb, random: &mut SplitMix64, row: u32, page: u32) -> Result {
    let n = random.below(600);
    match random.below(30) {
        0..=2 => db.remove(key(n))?,
        3 => {
            let (begin, end) = (key(n), key(random.below(600)));
            Disk::delete_range(db, &begin, &end).map_err(|code| code.to_string())?;
        }
        4 => db.insert(key(n), random.bytes(page.min(8192) as usize * 2 + 100))?,
        _ => {
            let length = random.below(120) as usize;
            db.insert(key(n), vec![row as u8; length])?;
        }
    }
    Ok(())
}

pub fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-log");
    name.into()
}
