//! [`LsmDb::train_zstd_dictionary`]: a dictionary from the pages of a database.

use crate::compression::ZstdDictionary;
use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::format::checkpoint;
use crate::format::pages::Pages;
use crate::format::plan::plan;
use crate::format::run::{Event, Manner, walk};

const OPERATION: &str = "train a dictionary";

/// Bytes of samples for each byte of the dictionary: more makes it hardly better.
const SAMPLES_PER_BYTE: usize = 100;

impl LsmDb {
    /// Trains a dictionary for Zstandard from the pages of this database.
    ///
    /// **Make it with the page size that the compressed files will have.** What is compressed later
    /// are pages, not records, so pages are what it is trained on: evenly spaced ones of the whole
    /// file, a hundred times as many bytes as the dictionary has, as far as there are so many.
    /// That reads the file once, and holds the samples in memory. What isn't in the file yet doesn't
    /// count; [`flush`](LsmDb::flush) brings it there. The database itself stays as it is, and may
    /// have any codec.
    ///
    /// `number` is from 1 to 899 and becomes part of the id of files that are compressed with it,
    /// `max_bytes` from 256 to 1,048,576; 16 KiB are a good beginning, and the default of Zstandard's
    /// own command are 110 KiB. See [`ZstdDictionary`] for an example.
    ///
    /// # Errors
    /// [`LsmMisuse`](LsmErrorCode::LsmMisuse) if the number or the size is out of range, or if there
    /// are too few pages: some dozens at least, and about ten times the size of the dictionary;
    /// [`LsmMismatch`](LsmErrorCode::LsmMismatch) without the feature `zstd`, and for a file whose
    /// codec isn't known here; whatever stands in the way of reading. Damaged pages are left out.
    pub fn train_zstd_dictionary(
        &self,
        number: u32,
        max_bytes: usize,
    ) -> Result<ZstdDictionary, LsmError> {
        let session = self.session(OPERATION)?;
        let path = session.connection().path();
        let failed = |error: LsmError| error.during(OPERATION).with_path(path);
        let pinned = session.connection().pin().map_err(failed)?;
        let words = pinned.checkpoint().map_err(failed)?;
        let checkpoint = checkpoint::parse(&words).map_err(|problem| {
            let error = LsmError::new(OPERATION, LsmErrorCode::LsmCorrupt).with_path(path);
            error.with_message(format!("the checkpoint in use {problem}"))
        })?;
        let mut sample = Sample::new(max_bytes.saturating_mul(SAMPLES_PER_BYTE));
        if !checkpoint.levels.is_empty() {
            let pages = Pages::of(&pinned, &checkpoint, session.codecs()).map_err(failed)?;
            for run in plan(&pages, &checkpoint).runs {
                walk(&pages, &run.chain, Manner::default(), &mut |event| {
                    if let Event::Page(page) = event {
                        sample.see(&page.data);
                    }
                    Ok::<(), LsmError>(())
                })?;
            }
        }
        ZstdDictionary::train(number, sample.pages, max_bytes).map_err(failed)
    }
}

/// Evenly spaced pages, as many as there is room for.
struct Sample {
    room: usize,
    pages: Vec<Vec<u8>>,
    bytes: usize,
    /// Pages that were seen.
    seen: usize,
    /// One page of so many is kept.
    spacing: usize,
}

impl Sample {
    fn new(room: usize) -> Sample {
        Sample {
            room,
            pages: Vec::new(),
            bytes: 0,
            seen: 0,
            spacing: 1,
        }
    }

    fn see(&mut self, page: &[u8]) {
        if self.seen % self.spacing == 0 {
            self.pages.push(page.to_vec());
            self.bytes += page.len();
            if self.bytes > self.room && self.pages.len() > 1 {
                self.spacing *= 2;
                let mut n = 0;
                self.pages.retain(|_| {
                    n += 1;
                    n % 2 == 1
                });
                self.bytes = self.pages.iter().map(Vec::len).sum();
            }
        }
        self.seen += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_evenly_and_fills_its_room() {
        for seen in [1_u32, 5, 100, 101, 12_345] {
            let mut sample = Sample::new(400);
            for n in 0..seen {
                sample.see(&n.to_be_bytes());
            }
            let kept: Vec<u32> = (sample.pages.iter())
                .map(|page| u32::from_be_bytes(page[..].try_into().unwrap()))
                .collect();
            let spacing = sample.spacing as u32;
            assert!(kept.iter().copied().eq((0..seen).step_by(spacing as usize)));
            assert!(kept.len() <= 100);
            assert!(
                kept.len() >= seen.min(50) as usize,
                "{seen}: {}",
                kept.len()
            );
        }
    }
}
