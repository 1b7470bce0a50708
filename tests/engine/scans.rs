//! Walking and seeking over levels of every shape.

use crate::harness::{Config, Db, Rc, Seek};
use crate::history::{Ground, check};

// An exact seek ends early at a deletion in memory. The cursor's other parts stayed where
// an earlier seek had left them, and so it was valid, on that record.
#[test]
fn seek_eq_on_a_reused_cursor_is_not_valid_for_a_missing_key() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let db = Db::open(&dir.path().join("db"), &Config::default())?;
    for key in [b"a", b"b", b"c"] {
        db.insert(key, b"value")?;
    }
    db.flush()?;
    db.delete(b"b")?;
    for how in [Seek::Ge, Seek::Le, Seek::Eq] {
        let mut cursor = db.cursor()?;
        cursor.seek(b"a", how)?;
        assert!(cursor.valid());
        cursor.seek(b"b", Seek::Eq)?;
        assert!(!cursor.valid(), "after {how:?}");
    }
    Ok(())
}

// --- histories that were found at random and then shrunk

// A forward scan took a key that was left over from an earlier position for a sign that the
// left-hand side of a half-merged level had something to show, and left out the other side.
#[test]
fn forward_scan_over_a_half_merged_level_returns_every_key() {
    let config = Config {
        page_size: 512,
        block_kib: 64,
        autoflush_kib: 2,
        automerge: 3,
        max_freelist: 24,
        autocheckpoint_kib: 64,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 100,
    };
    check(
        &ground,
        "i55.19 i40.421 i27.325 i20.95 i15.871 f i35.396 i13.710 i39.687 f i101.441 i172.354 \
         i71.258 i103.790 w2.1",
    );
}

fn quick() -> Config {
    Config {
        safety: 0,
        ..Config::default()
    }
}
