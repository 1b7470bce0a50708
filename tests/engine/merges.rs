//! Merges: automatic, partial, abandoned and taken up again.
//!
//! The histories were found at random and then shrunk.

use crate::harness::{Config, Db};
use crate::history::{Ground, Profile, Random, check, random};

fn quick() -> Config {
    Config {
        safety: 0,
        ..Config::default()
    }
}

// No bug of its own: histories nobody has looked at, on levels of many shapes.
#[test]
fn random_histories_agree_with_an_ordered_map() {
    for seed in 0..24 {
        let mut dice = Random::new(seed);
        let config = Config {
            page_size: [256, 512, 1024, 4096][dice.below(4) as usize],
            block_kib: 64,
            autoflush_kib: [1, 4, 16][dice.below(3) as usize],
            automerge: 2 + dice.below(4) as i32,
            max_freelist: [2, 24][dice.below(2) as usize],
            autocheckpoint_kib: [32, 2048][dice.below(2) as usize],
            mmap: seed % 4 == 0,
            compression: seed % 4 == 1,
            ..quick()
        };
        let profile = Profile {
            keys: [20, 60, 200][dice.below(3) as usize],
            value: [20, 200, 1000][dice.below(3) as usize],
            ranges: seed % 2 == 0,
            transactions: true,
            flush: true,
        };
        let long_key = [0, 100, 600][dice.below(3) as usize];
        let words: Vec<String> = random(&mut dice, &profile, 400)
            .iter()
            .map(ToString::to_string)
            .collect();
        check(&Ground { config, long_key }, &words.join(" "));
    }
}

// A merge that began with fewer segments than AUTOMERGE was never chosen again, nor the younger
// segments above it, while the database counted as full: an endless loop, with a lock held.
// (LSM_CORRUPT, since work without progress is an error.)
#[test]
fn a_merge_begun_with_few_segments_can_always_be_finished() {
    let config = Config {
        page_size: 512,
        block_kib: 64,
        automerge: 4,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 0,
    };
    check(
        &ground,
        "i1.900 i2.900 i3.900 i4.900 i5.900 i6.900 f i7.900 i8.900 i9.900 i10.900 i11.900 i12.900 \
         f w2.1 i1.9 f i2.9 f i3.9 f i4.9 f i5.9 f i6.9 f z",
    );
}

// Automatic work wrote the rows to the file, dropped them from memory, and left the
// transaction with the old picture of the file.
#[test]
fn rows_flushed_during_a_transaction_stay_visible_in_it() {
    let config = Config {
        page_size: 4096,
        block_kib: 64,
        autoflush_kib: 2,
        automerge: 8,
        max_freelist: 24,
        autocheckpoint_kib: 2048,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 100,
    };
    check(
        &ground,
        "i57.1324 m3 i50.2447 i10.2693 i25.2366 i53.2776 i13.2633 i35.1579 i45.1841 i17.2309 w1 \
         i16.2777 w1.5 i13.2723 i26.1099 i50.1392 i39.2505 i38.421 i37.1916 b i43.2847 i18.1254 \
         s",
    );
}

// After blocks had been moved towards the start of the file, a partial merge went by their
// old numbers and freed blocks that were in use.
#[test]
fn a_partial_merge_after_compaction_frees_no_live_block() {
    let config = Config {
        page_size: 4096,
        block_kib: 64,
        autoflush_kib: 16,
        automerge: 8,
        max_freelist: 2,
        autocheckpoint_kib: 64,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 0,
    };
    check(
        &ground,
        "i36.20 o i10.908 i59.539 i35.903 i14.250 i11.635 i29.39 i0.882 i15.404 i2.416 i0.833 \
         i30.651 i18.938 i13.123 i58.657 i42.642 i37.813 i13.469 i42.982 i33.893 i20.738 i2.897 \
         i10.749 i17.424 d25 i18.26 w2.6 d24 f w1 f w1.12",
    );
}

// A run of one page was searched through pointers that led to the run which it had replaced.
#[test]
fn a_run_of_one_page_is_not_searched_through_old_pointers() {
    let config = Config {
        page_size: 4096,
        block_kib: 64,
        autoflush_kib: 0,
        automerge: 4,
        max_freelist: 24,
        autocheckpoint_kib: 8,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 1044,
    };
    check(
        &ground,
        "i83.190 d0 i149.15 i160.106 i39.165 i32.72 i18.51 i105.180 r2-42 w2.8 l91.6",
    );
}

// The same in the walk through the free list when a database is closed: it went to a page
// with a negative number.
#[test]
fn closing_after_merges_that_leave_one_page_does_not_crash() {
    let config = Config {
        page_size: 4096,
        block_kib: 64,
        autoflush_kib: 16,
        automerge: 4,
        max_freelist: 24,
        autocheckpoint_kib: 32,
        mmap: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 100,
    };
    check(
        &ground,
        "i42.198 o d51 o w1.4 i25.192 o r43-55 f i37.196 f i40.142 w1.4 w3.8 o w2.10",
    );
}

// A run that a merge has half read loses pages that nobody needs any more. Among them was one with
// a large key to which its b-tree refers, and which every search compares with.
#[test]
fn large_keys_are_found_while_a_merge_is_under_way() {
    const KEYS: u32 = 1500;
    let key = |n: u32| {
        let mut key = format!("{n:05}").into_bytes();
        if n % 3 == 0 {
            key.resize(705, b'k');
        }
        key
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = Config {
        page_size: 1024,
        block_kib: 64,
        autocheckpoint_kib: 64,
        autowork: false,
        ..quick()
    };
    let db = Db::open(&dir.path().join("db"), &config).expect("open");
    for round in 0..2 {
        for n in (0..KEYS)
            .map(|i| i * 7919 % KEYS)
            .filter(|n| n % 2 == round)
        {
            db.insert(&key(n), &[0; 1000]).expect("insert");
        }
        db.flush().expect("flush");
    }
    for step in 0..400_u32 {
        let written = db.work(2, 16).expect("work");
        db.checkpoint().expect("checkpoint");
        // Something that uses the freed blocks.
        let other = format!("z{}", (step * 31 + 7) % 50);
        db.insert(other.as_bytes(), &[0; 1000]).expect("insert");
        if step % 4 == 3 {
            db.flush().expect("flush");
        }
        for n in 0..KEYS {
            let found = db.get(&key(n)).expect("get");
            assert!(found.is_some(), "{n} after step {step}");
        }
        if written == 0 {
            return;
        }
    }
}
