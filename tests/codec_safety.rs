//! A page codec is safe code of the user's: whatever it does, the engine's memory is safe.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lsmlite_rs::compression::{CodecError, Compression, PageCodec};
use lsmlite_rs::{Disk, LsmDb, LsmErrorCode};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Stores pages as they are; the functions are called before the work is done.
struct Hooked {
    id: fn() -> u32,
    bound: fn(usize) -> usize,
    on_compress: fn() -> Result<(), CodecError>,
    on_decompress: fn() -> Result<(), CodecError>,
}

impl Default for Hooked {
    fn default() -> Self {
        Hooked {
            id: || 20_001,
            bound: |len| len,
            on_compress: || Ok(()),
            on_decompress: || Ok(()),
        }
    }
}

impl PageCodec for Hooked {
    fn id(&self) -> u32 {
        (self.id)()
    }
    fn bound(&self, plain_len: usize) -> usize {
        (self.bound)(plain_len)
    }
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        (self.on_compress)()?;
        let room = out.get_mut(..plain.len());
        room.ok_or_else(|| CodecError::new("no room"))?
            .copy_from_slice(plain);
        Ok(plain.len())
    }
    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        (self.on_decompress)()?;
        out[..packed.len()].copy_from_slice(packed);
        Ok(packed.len())
    }
}

/// The engine freed the codec's buffers when the codec changed and kept the pointers to them:
/// the next write went into freed memory. Only a sanitizer, or luck, shows it.
#[test]
fn a_connection_that_switches_codecs_forgets_the_buffers_of_the_old_one() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("switch.lsm");
    let failing = Hooked {
        on_compress: || Err(CodecError::new("not today")),
        ..Hooked::default()
    };
    let mut a = LsmDb::builder().codec(Arc::new(failing)).open(&path)?;
    a.insert(b"key", b"value")?;
    assert!(a.flush().unwrap_err().to_string().contains("not today"));
    // Another handle writes the shared tree, and so decides on LZ4.
    let mut b = LsmDb::builder().compression(Compression::LZ4).open(&path)?;
    b.flush()?;
    assert_eq!(a.get(b"key")?, Some(b"value".to_vec()));
    for i in 0..200_u32 {
        a.insert(i.to_be_bytes(), vec![1; 1000])?;
    }
    a.flush()?;
    assert_eq!(a.iter().count(), 201);
    Ok(())
}

thread_local! {
    static SHARED: RefCell<Option<LsmDb>> = const { RefCell::new(None) };
    static INNER: RefCell<Option<LsmErrorCode>> = const { RefCell::new(None) };
}

/// A codec can reach the handle that it works for. The engine would be entered while it is
/// reading a page, and the codec's input would change under it.
#[test]
fn a_codec_that_uses_its_own_database_is_refused() -> Outcome {
    fn look_inside() -> Result<(), CodecError> {
        SHARED.with_borrow(|db| {
            if let Some(db) = db {
                let error = db.get(b"other").err();
                INNER.set(error.map(|error| error.code()));
                assert!(db.iter().next().is_some_and(|record| record.is_err()));
            }
        });
        Ok(())
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("inner.lsm");
    let codec = Arc::new(Hooked {
        on_decompress: look_inside,
        ..Hooked::default()
    });
    let mut db = LsmDb::builder().codec(codec.clone()).open(&path)?;
    for i in 0..2000_u32 {
        db.insert(i.to_be_bytes(), [7; 100])?;
    }
    db.close()?;
    SHARED.set(Some(LsmDb::builder().codec(codec).open(&path)?));
    let value = SHARED.with_borrow(|db| db.as_ref().unwrap().get(700_u32.to_be_bytes()))?;
    assert_eq!(value, Some(vec![7; 100]));
    assert_eq!(INNER.take(), Some(LsmErrorCode::LsmMisuse));
    SHARED.take().unwrap().close()?;
    Ok(())
}

/// The engine assumes that a packed page crosses one end of a block at most.
#[test]
fn a_bound_beyond_all_reason_is_cut() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("bound.lsm");
    for bound in [|_: usize| 200_000, |_| usize::MAX, |_| 0] {
        let codec = Arc::new(Hooked {
            bound,
            ..Hooked::default()
        });
        let mut db = LsmDb::builder()
            .codec(codec)
            .page_size_bytes(4096)
            .block_size_kib(64)
            .open(&path)?;
        // With a bound of 0 the plain page still fits into the engine's smallest buffer or
        // fails as an error; it must not write past it.
        for i in 0..2000_u32 {
            db.insert(i.to_be_bytes(), [7; 100])?;
        }
        if db.flush().is_ok() {
            assert_eq!(db.iter().filter(Result::is_ok).count(), 2000);
        }
        let _ = db.close();
        std::fs::remove_file(&path)?;
        let _ = std::fs::remove_file(dir.path().join("bound.lsm-log"));
    }
    Ok(())
}

/// A codec that fills all the room it is given.
struct Inflating;

impl PageCodec for Inflating {
    fn id(&self) -> u32 {
        20_002
    }
    fn bound(&self, _plain_len: usize) -> usize {
        100_000
    }
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        out[..plain.len()].copy_from_slice(plain);
        Ok(out.len())
    }
    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        out.copy_from_slice(&packed[..out.len()]);
        Ok(out.len())
    }
}

#[test]
fn a_codec_that_inflates_pages_loses_nothing() -> Outcome {
    let dir = tempfile::tempdir()?;
    for (page, block) in [(256, 64), (4096, 64), (65_536, 512)] {
        let path = dir.path().join(format!("{page}.lsm"));
        let open = || {
            LsmDb::builder()
                .codec(Arc::new(Inflating))
                .page_size_bytes(page)
                .block_size_kib(block)
                .autoflush_kib(64)
                .open(&path)
        };
        let mut db = open()?;
        for i in 0..2000_u32 {
            db.insert(i.to_be_bytes(), [7; 100])?;
        }
        db.compact()?;
        db.close()?;
        assert_eq!(open()?.iter().filter(Result::is_ok).count(), 2000);
    }
    Ok(())
}

static ASKED: AtomicU32 = AtomicU32::new(0);

/// With another id in the file, its pages would be handed to another codec.
#[test]
fn the_id_of_a_codec_is_asked_for_once() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("id.lsm");
    let codec = Arc::new(Hooked {
        id: || match ASKED.fetch_add(1, Ordering::Relaxed) {
            0 => 20_003,
            _ => 10_001,
        },
        ..Hooked::default()
    });
    let mut db = LsmDb::builder().codec(codec).open(&path)?;
    db.insert(b"key", b"value")?;
    db.close()?;
    let db = LsmDb::open(&path)?;
    let error = db.get(b"key").unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmMismatch);
    Ok(())
}

static PANICS: AtomicBool = AtomicBool::new(false);

/// The panic left the transaction open, and a commit kept half of the insert.
#[test]
fn a_codec_that_panics_dooms_the_transaction() -> Outcome {
    let dir = tempfile::tempdir()?;
    let codec = Arc::new(Hooked {
        on_compress: || {
            assert!(!PANICS.load(Ordering::Relaxed), "the codec has had enough");
            Ok(())
        },
        ..Hooked::default()
    });
    let mut db = LsmDb::builder()
        .codec(codec)
        .autoflush_kib(64)
        .open(dir.path().join("doomed.lsm"))?;
    for i in 0..500_u32 {
        db.insert(i.to_be_bytes(), [1; 1000])?;
    }
    db.begin_transaction()?;
    PANICS.store(true, Ordering::Relaxed);
    let mut panicked = false;
    for i in 500..5000_u32 {
        match catch_unwind(AssertUnwindSafe(|| db.insert(i.to_be_bytes(), [2; 1000]))) {
            Ok(inserted) => inserted?,
            Err(_) => {
                panicked = true;
                break;
            }
        }
    }
    PANICS.store(false, Ordering::Relaxed);
    if panicked {
        assert!(db.commit_transaction().is_err());
    }
    db.rollback_transaction()?;
    assert_eq!(db.iter().count(), 500);
    db.insert(b"after", b"it")?;
    db.close()?;
    assert!(panicked, "no page was written inside the transaction");
    Ok(())
}

thread_local! {
    static KEPT: RefCell<Option<LsmDb>> = const { RefCell::new(None) };
}

/// Storage of the thread that the shims and codecs use may be gone when the handle is dropped.
#[test]
fn a_handle_in_thread_local_storage_closes_when_the_thread_ends() -> Outcome {
    let dir = tempfile::tempdir()?;
    for compression in [Compression::LZ4, Compression::ZLIB, Compression::ZSTD] {
        let path = dir.path().join(format!("{compression:?}.lsm"));
        let inside = path.clone();
        std::thread::spawn(move || {
            let open = || LsmDb::builder().compression(compression).open(&inside);
            // Touched before the codec's own storage, so destroyed after it.
            KEPT.with_borrow(|_| ());
            let mut db = open().unwrap();
            for i in 0..1000_u32 {
                db.insert(i.to_be_bytes(), [3; 100]).unwrap();
            }
            db.flush().unwrap();
            db.insert(b"last", b"one").unwrap();
            KEPT.set(Some(db));
        })
        .join()
        .map_err(|_| "the thread panicked")?;
        assert_eq!(LsmDb::open(&path)?.iter().count(), 1001);
    }
    Ok(())
}
