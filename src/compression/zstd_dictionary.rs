//! Zstandard frames that need a dictionary, which each of them names.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use zstd::zstd_safe::{self, CCtx, CDict, DCtx, DDict};

use super::{CodecError, PageCodec, ZstdDictionary};

thread_local! {
    // As in `zstd`. Dictionaries are handed over with each page, so that every thread has one
    // context for all of them.
    static COMPRESS: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESS: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// What Zstandard makes of a dictionary before it can use it: once, for all threads.
pub(super) struct Digested {
    read: DDict<'static>,
    /// By level, as far as it was asked for.
    write: Mutex<BTreeMap<u8, Arc<CDict<'static>>>>,
}

impl Digested {
    /// `None` if Zstandard can't use the dictionary.
    pub(super) fn new(bytes: &[u8]) -> Option<Digested> {
        // What can be read with it could have been written with it. Cheap at the lowest level.
        CDict::try_create(bytes, 1)?;
        Some(Digested {
            read: DDict::try_create(bytes)?,
            write: Mutex::default(),
        })
    }

    fn at_level(&self, level: u8, bytes: &[u8]) -> Option<Arc<CDict<'static>>> {
        let mut write = self.write.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = write.get(&level) {
            return Some(Arc::clone(known));
        }
        let new = Arc::new(CDict::try_create(bytes, i32::from(level))?);
        write.insert(level, Arc::clone(&new));
        Some(new)
    }
}

pub(super) struct WithDictionary {
    level: u8,
    dictionary: ZstdDictionary,
    /// Made when the first page is written: most handles read.
    write: OnceLock<Option<Arc<CDict<'static>>>>,
}

impl WithDictionary {
    pub(super) fn new(level: u8, dictionary: ZstdDictionary) -> Self {
        WithDictionary {
            level,
            dictionary,
            write: OnceLock::new(),
        }
    }
}

impl PageCodec for WithDictionary {
    fn id(&self) -> u32 {
        self.dictionary.codec_id()
    }

    fn bound(&self, plain_len: usize) -> usize {
        zstd_safe::compress_bound(plain_len)
    }

    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let digested = self.write.get_or_init(|| {
            let dictionary = &self.dictionary;
            dictionary
                .digested()
                .at_level(self.level, dictionary.as_bytes())
        });
        let digested = digested.as_ref().ok_or_else(no_memory)?;
        let mut work = |slot: &mut Option<CCtx<'static>>| {
            let context = match slot {
                Some(kept) => kept,
                None => slot.insert(CCtx::try_create().ok_or_else(no_memory)?),
            };
            context
                .compress_using_cdict(out, plain, digested)
                .map_err(describe)
        };
        // While the thread ends there may be no kept context any more.
        COMPRESS
            .try_with(|slot| work(&mut slot.borrow_mut()))
            .unwrap_or_else(|_| work(&mut None))
    }

    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let number = self.dictionary.number();
        // Zstandard looks at it, too, but takes frames without one for frames of any dictionary.
        match zstd_safe::get_dict_id_from_frame(packed).map(u32::from) {
            Some(named) if named == number => {}
            Some(named) => {
                return Err(CodecError::new(format!(
                    "a page names dictionary {named} instead of {number}"
                )));
            }
            None => {
                return Err(CodecError::new(format!(
                    "a page doesn't name dictionary {number}, or isn't zstd data"
                )));
            }
        }
        let mut work = |slot: &mut Option<DCtx<'static>>| {
            let context = match slot {
                Some(kept) => kept,
                None => slot.insert(DCtx::try_create().ok_or_else(no_memory)?),
            };
            context
                .decompress_using_ddict(out, packed, &self.dictionary.digested().read)
                .map_err(describe)
        };
        DECOMPRESS
            .try_with(|slot| work(&mut slot.borrow_mut()))
            .unwrap_or_else(|_| work(&mut None))
    }
}

fn no_memory() -> CodecError {
    CodecError::new("zstd: there isn't enough memory for a dictionary")
}

fn describe(code: usize) -> CodecError {
    CodecError::new(format!("zstd: {}", zstd_safe::get_error_name(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trained(number: u32, words: &str) -> ZstdDictionary {
        let samples = (0..2000).map(|n| format!("{words} {n} {words} {}", n * 7919 % 1000));
        ZstdDictionary::train(number, samples, 1024).unwrap()
    }

    #[test]
    fn pages_are_unpacked_with_the_dictionary_that_they_name_only() {
        let page = b"the quick brown fox 17 jumps over";
        let mut frame = [0; 200];
        let mut out = [0; 100];
        let first = trained(1, "the quick brown fox").codec(3);
        let used = first.compress(page, &mut frame).unwrap();
        let frame = &frame[..used];
        assert_eq!(first.decompress(frame, &mut out), Ok(page.len()));
        assert_eq!(&out[..page.len()], page);

        let second = trained(2, "the quick brown fox").codec(3);
        let error = second.decompress(frame, &mut out).unwrap_err();
        assert!(error.to_string().contains("dictionary 1 instead of 2"));
        let plain = super::super::zstd::Zstd::new(3);
        let error = plain.decompress(frame, &mut out).unwrap_err();
        assert!(error.to_string().contains("Dictionary mismatch"), "{error}");
        let mut unnamed = [0; 200];
        let used = plain.compress(page, &mut unnamed).unwrap();
        let error = first.decompress(&unnamed[..used], &mut out).unwrap_err();
        assert!(error.to_string().contains("doesn't name"), "{error}");
        for used in 0..frame.len() {
            assert!(first.decompress(&frame[..used], &mut out).is_err());
        }
        assert!(first.decompress(frame, &mut out[..10]).is_err());
    }

    #[test]
    fn the_id_of_a_file_names_the_dictionary_and_its_contents() {
        let dictionary = trained(7, "some words");
        let id = dictionary.codec_id();
        assert_eq!(id / 1_000_000, 107);
        assert_eq!(super::super::dictionary::number_in(id), Some(7));
        assert_ne!(trained(7, "other words").codec_id(), id);
        assert_eq!(
            ZstdDictionary::from_bytes(dictionary.as_bytes())
                .unwrap()
                .codec_id(),
            id
        );
        for id in [
            10_003,
            99_999_999,
            100_000_000,
            1_000_000_000,
            1_107_000_000,
        ] {
            assert_eq!(super::super::dictionary::number_in(id), None);
        }
    }
}
