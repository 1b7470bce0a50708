//! Range deletes, in memory and in levels of every shape.
//!
//! The histories were found at random and then shrunk.

use crate::harness::Config;
#[cfg(target_os = "linux")]
use crate::harness::trap::Trap;
use crate::harness::{Db, Rc, Seek};
use crate::history::{Ground, Random, check};

fn quick() -> Config {
    Config {
        safety: 0,
        ..Config::default()
    }
}

// The value at a bound was taken to lie right behind its key, where it no longer was.
#[test]
fn the_values_at_the_bounds_survive() {
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autoflush_kib: 16,
        automerge: 8,
        max_freelist: 4,
        autocheckpoint_kib: 32,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 0,
    };
    check(
        &ground,
        "i19.1822 i4.2220 i1.1484 i6.2062 i12.2564 i3.2319 i2.2455 i2.2821 i7.2070 i16.2234 \
         r6-8 i11.642 i14.2023 i14.1034 i2.651 i14.2994 r15-16",
    );
}

// Bounds are exclusive, but a seek for the lower one went on behind the range.
#[test]
fn ge_finds_keys_next_to_a_range_delete() {
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autoflush_kib: 2,
        automerge: 8,
        max_freelist: 24,
        autocheckpoint_kib: 64,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 1124,
    };
    check(&ground, "i15.5 i10.1 r10-27 i30.8 g10.2");
}

// The pointer to the next level was looked for behind the split key of a half-merged level,
// in a segment that ended before it.
#[test]
fn ge_finds_keys_beyond_a_range_over_the_split_key() {
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autoflush_kib: 1,
        automerge: 3,
        max_freelist: 4,
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
        "m4 i798.729 i125.458 i39.553 i290.807 i34.129 i823.456 r161-217 i765.157 i666.452 w3 \
         i214.327 i656.146 o i129.797 r460-617 i319.615 i804.436 i529.700 i644.359 i336.759 \
         i311.313 i407.914 r78-109 w3.1 g108.1",
    );
}

// The same, where it ended in a NULL pointer.
#[test]
fn a_seek_over_the_last_split_key_does_not_crash() {
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autoflush_kib: 1,
        automerge: 4,
        max_freelist: 2,
        autocheckpoint_kib: 64,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 1124,
    };
    check(
        &ground,
        "i5.2080 i5.2724 i11.1322 i1.2637 i16.1919 i6.1984 i12.2998 i10.1770 i11.2266 i15.2481 \
         r10-17 i18.1848 i6.194 r14-21 i1.568 i0.66 i4.1553 i0.128 i12.2010 i14.1923 w2.10 \
         i7.130 i19.960 i16.2245 i17.2536 i4.1491 i6.1820 r13-18 o i4.1999 i14.1780 g14.6",
    );
}

// A seek that ran off the left-hand side of a half-merged level went on at the wrong place
// on the other side.
#[test]
fn ge_finds_keys_behind_the_split_key() {
    let config = Config {
        page_size: 256,
        block_kib: 64,
        autoflush_kib: 2,
        automerge: 4,
        max_freelist: 24,
        autocheckpoint_kib: 2048,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 100,
    };
    check(
        &ground,
        "i33.365 f i14.649 i4.994 i0.553 w1.11 f i58.752 r0-9 i14.919 i19.764 i55.759 i21.408 o \
         i42.534 i54.365 r51-68 i46.165 d46 m5 r0-12 i23.485 g3.6",
    );
}

// A range delete began before the split key of a half-merged level and ended behind it; the
// entry that stood in for the split key did not say so.
#[test]
fn le_does_not_return_a_key_deleted_across_the_split_key() {
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autoflush_kib: 4,
        automerge: 3,
        max_freelist: 4,
        autocheckpoint_kib: 32,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 100,
    };
    check(
        &ground,
        "i13.487 o i9.56 i5.986 i18.44 i10.961 i8.438 i17.380 i5.881 r13-20 w2.6 i2.444 i17.898 \
         o r18-24 i9.790 i13.798 i8.798 i16.313 i14.984 w2.6 l19.2",
    );
}

// Row 31: a leaf became the root of the tree in memory, and was read as the larger node that a
// root is. Here the process can't read behind a piece of that memory.
#[cfg(target_os = "linux")]
#[test]
fn a_tree_that_shrinks_to_its_root_reads_nothing_behind_it() -> Rc {
    let _guarded = Trap::new(0);
    let dir = tempfile::tempdir().expect("temporary directory");
    let config = Config {
        multi_process: true,
        trap: true,
        autoflush_kib: 1 << 20,
        use_log: false,
        safety: 0,
        ..Config::default()
    };
    let db = Db::open(&dir.path().join("db"), &config)?;
    let mut records = 0;
    for round in 0..6000_usize {
        let value = vec![b'v'; round * 7 % 45];
        let most = 4 + round % 12;
        for i in 0..most {
            db.insert(&[i as u8], &value)?;
        }
        db.delete_range(&[(round % 3) as u8], &[most as u8])?;
        if round % 50 == 0 {
            records += db.scan()?.len();
        }
        db.delete_range(&[], &[255])?;
        for i in 0..most {
            db.delete(&[i as u8])?;
        }
    }
    assert!(records > 0, "nothing was read");
    Ok(())
}

// The entry that opens the range led to a page that a merge below had used up: its block
// belonged to another run by then.
#[test]
fn le_finds_its_way_into_a_half_merged_level() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        automerge: 16,
        autowork: false,
        compression: true,
        ..quick()
    };
    let db = Db::open(&dir.path().join("db"), &config)?;
    let mut dice = Random::new(1);
    let mut fill = |from: u32, to: u32| -> Rc {
        for k in from..to {
            // Values that a codec makes no smaller.
            let value: Vec<u8> = (0..3000).map(|_| dice.next() as u8).collect();
            db.insert(format!("{k:02}").as_bytes(), &value)?;
        }
        db.flush()
    };
    let levels = || db.describe(crate::ffi::LSM_INFO_DB_STRUCTURE);
    let half_merged = |text: String| text.split("}} {").any(|level| level.contains("} {"));

    // Two levels of a kind, the newer one with pointers into the older.
    fill(0, 30)?;
    fill(30, 60)?;
    db.work(2, -1)?;
    fill(0, 30)?;
    fill(30, 60)?;
    db.work(2, 170)?;
    while half_merged(levels()?) {
        db.work(2, 1)?;
    }
    // The range, with pointers into the newer one. Then the two are merged up to about 45.
    db.delete_range(b"05", b"55")?;
    db.flush()?;
    db.work(2, 140)?;
    assert!(half_merged(levels()?), "{}", levels()?);
    db.checkpoint()?;
    // The blocks that were merged are used again.
    for _ in 0..4 {
        fill(70, 99)?;
    }

    for k in 0..60 {
        let mut cursor = db.cursor()?;
        cursor.seek(format!("{k:02}").as_bytes(), Seek::Le)?;
        let expected = if (6..55).contains(&k) { 5 } else { k };
        assert_eq!(cursor.key()?, format!("{expected:02}").as_bytes(), "{k}");
    }
    Ok(())
}
