//! What the safe face costs beside the C API of the same engine, used by hand: compacted data,
//! 200,000 records of 16 + 100 bytes, the same file and the same mapping for both.
//!
//! The C side keeps one cursor open for all look-ups, which saves it the snapshot that each of a
//! handle's takes, and shows it the same moment for ever, as our `Snapshot` does. It looks at the first byte of each value, as
//! `get_with` and the scan without copies do; `get` copies the value besides.
//!
//! Conditions: fixed seed, random order, everything in the operating system's cache, a temporary
//! folder. Only the ratios of one run mean something. `cargo bench --bench overhead`.

#![allow(missing_docs)]

mod common;

use std::ffi::{CString, c_char, c_int, c_void};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::ptr;

use common::{SplitMix64, filled, key, short};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lsmlite_rs::LsmDb;
use lsmlite_rs::config::Mmap;

const RECORDS: u64 = 200_000;

/// The part of the C API that is used here, under the names that the crate gives it.
#[allow(unsafe_code)]
mod c {
    use super::{c_char, c_int, c_void};

    unsafe extern "C" {
        #[link_name = "lsmlite_lsm_new"]
        pub fn lsm_new(env: *mut c_void, db: *mut *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_config"]
        pub fn lsm_config(db: *mut c_void, what: c_int, ...) -> c_int;
        #[link_name = "lsmlite_lsm_open"]
        pub fn lsm_open(db: *mut c_void, name: *const c_char) -> c_int;
        #[link_name = "lsmlite_lsm_close"]
        pub fn lsm_close(db: *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_csr_open"]
        pub fn lsm_csr_open(db: *mut c_void, csr: *mut *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_csr_close"]
        pub fn lsm_csr_close(csr: *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_csr_seek"]
        pub fn lsm_csr_seek(csr: *mut c_void, key: *const c_void, n: c_int, how: c_int) -> c_int;
        #[link_name = "lsmlite_lsm_csr_first"]
        pub fn lsm_csr_first(csr: *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_csr_next"]
        pub fn lsm_csr_next(csr: *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_csr_valid"]
        pub fn lsm_csr_valid(csr: *mut c_void) -> c_int;
        #[link_name = "lsmlite_lsm_csr_key"]
        pub fn lsm_csr_key(csr: *mut c_void, key: *mut *const c_void, n: *mut c_int) -> c_int;
        #[link_name = "lsmlite_lsm_csr_value"]
        pub fn lsm_csr_value(csr: *mut c_void, value: *mut *const c_void, n: *mut c_int) -> c_int;
    }

    pub const CONFIG_MMAP: c_int = 7;
    pub const CONFIG_MULTIPLE_PROCESSES: c_int = 11;
    pub const SEEK_EQ: c_int = 0;
}

/// A connection of the C API with a cursor that stays open.
struct ByHand {
    db: *mut c_void,
    csr: *mut c_void,
}

#[allow(unsafe_code)]
impl ByHand {
    fn open(path: &std::path::Path) -> ByHand {
        let name = CString::new(path.to_str().unwrap()).unwrap();
        let mut hand = ByHand {
            db: ptr::null_mut(),
            csr: ptr::null_mut(),
        };
        let (mut all, mut single) = (1_i32, 0_i32);
        // SAFETY: the calls and their order are those that lsm.h asks for; each result is checked
        // before what it gives is used, and all pointers are to live locals.
        unsafe {
            assert_eq!(c::lsm_new(ptr::null_mut(), &mut hand.db), 0);
            let mmap: *mut i32 = &mut all;
            assert_eq!(c::lsm_config(hand.db, c::CONFIG_MMAP, mmap), 0);
            let processes: *mut i32 = &mut single;
            assert_eq!(
                c::lsm_config(hand.db, c::CONFIG_MULTIPLE_PROCESSES, processes),
                0
            );
            assert_eq!(c::lsm_open(hand.db, name.as_ptr()), 0);
            assert_eq!(c::lsm_csr_open(hand.db, &mut hand.csr), 0);
        }
        hand
    }

    /// The first byte of the value with this key.
    fn get(&mut self, key: &[u8]) -> u8 {
        let mut value: *const c_void = ptr::null();
        let mut n = 0;
        // SAFETY: the cursor is open; the value has `n` bytes, of which one is read at once.
        unsafe {
            let n_key = c_int::try_from(key.len()).unwrap();
            let rc = c::lsm_csr_seek(self.csr, key.as_ptr().cast(), n_key, c::SEEK_EQ);
            assert!(rc == 0 && c::lsm_csr_valid(self.csr) != 0);
            assert!(c::lsm_csr_value(self.csr, &mut value, &mut n) == 0 && n > 0);
            *value.cast::<u8>()
        }
    }

    /// How many records there are, and the sum of the first bytes of keys and values.
    fn scan(&mut self) -> (u64, u64) {
        let (mut count, mut sum) = (0, 0);
        let mut at: *const c_void = ptr::null();
        let mut n = 0;
        // SAFETY: as in `get`.
        unsafe {
            assert_eq!(c::lsm_csr_first(self.csr), 0);
            while c::lsm_csr_valid(self.csr) != 0 {
                assert!(c::lsm_csr_key(self.csr, &mut at, &mut n) == 0 && n > 0);
                sum += u64::from(*at.cast::<u8>());
                assert!(c::lsm_csr_value(self.csr, &mut at, &mut n) == 0 && n > 0);
                sum += u64::from(*at.cast::<u8>());
                count += 1;
                assert_eq!(c::lsm_csr_next(self.csr), 0);
            }
        }
        (count, sum)
    }
}

#[allow(unsafe_code)]
impl Drop for ByHand {
    fn drop(&mut self) {
        // SAFETY: both are open, and nobody uses them afterwards.
        unsafe {
            c::lsm_csr_close(self.csr);
            c::lsm_close(self.db);
        }
    }
}

fn overhead(c: &mut Criterion) {
    let builder = LsmDb::builder().mmap(Mmap::All);
    let (db, dir) = filled(builder.clone().autoflush_kib(1024), RECORDS, true);
    db.close().unwrap();
    let path = dir.path().join("bench.lsm");
    // A file of its own, as the two don't know of each other's locks.
    let copy = dir.path().join("by-hand.lsm");
    std::fs::copy(&path, &copy).unwrap();
    let db = builder.open(&path).unwrap();
    let mut by_hand = ByHand::open(&copy);

    let mut group = c.benchmark_group("get_200k_x_16+100B_compacted");
    let mut random = SplitMix64(5);
    group.bench_function("c_api_kept_cursor", |b| {
        b.iter(|| black_box(by_hand.get(&key(random.next() % RECORDS * 2))));
    });
    let mut random = SplitMix64(5);
    group.bench_function("get_with", |b| {
        b.iter(|| {
            let key = key(random.next() % RECORDS * 2);
            black_box(db.get_with(key, |value| value[0]).unwrap().unwrap())
        });
    });
    // What the C side does, too: everything from one moment.
    let snapshot = db.snapshot().unwrap();
    let mut random = SplitMix64(5);
    group.bench_function("get_with_of_a_snapshot", |b| {
        b.iter(|| {
            let key = key(random.next() % RECORDS * 2);
            black_box(snapshot.get_with(key, |value| value[0]).unwrap().unwrap())
        });
    });
    drop(snapshot);
    let mut random = SplitMix64(5);
    group.bench_function("get", |b| {
        b.iter(|| {
            let key = key(random.next() % RECORDS * 2);
            black_box(db.get(key).unwrap().unwrap())
        });
    });
    group.finish();

    let mut group = c.benchmark_group("scan_200k_x_16+100B_compacted");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("c_api", |b| b.iter(|| black_box(by_hand.scan())));
    group.bench_function("for_each_ref", |b| {
        b.iter(|| {
            let (mut count, mut sum) = (0, 0);
            let scan = db.iter().for_each_ref(|key, value| {
                sum += u64::from(key[0]) + u64::from(value[0]);
                count += 1;
                ControlFlow::Continue(())
            });
            assert!(scan.unwrap() && count == RECORDS);
            black_box((count, sum))
        });
    });
    group.bench_function("next_ref", |b| {
        b.iter(|| {
            let (mut count, mut sum) = (0, 0);
            let mut records = db.iter();
            while let Some((key, value)) = records.next_ref().unwrap() {
                sum += u64::from(key[0]) + u64::from(value[0]);
                count += 1;
            }
            assert_eq!(count, RECORDS);
            black_box((count, sum))
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = short(); targets = overhead }
criterion_main!(benches);
