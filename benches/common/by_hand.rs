//! The C API of the engine in the runtime environment that lsm1 comes with, used by hand: what ours is
//! compared with.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

/// The part of the C API that is used here, under the names that the crate gives it.
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
        #[link_name = "lsmlite_lsm_insert"]
        pub fn lsm_insert(
            db: *mut c_void,
            key: *const c_void,
            n_key: c_int,
            value: *const c_void,
            n_value: c_int,
        ) -> c_int;
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

    pub const CONFIG_AUTOFLUSH: c_int = 1;
    pub const CONFIG_MMAP: c_int = 7;
    pub const CONFIG_MULTIPLE_PROCESSES: c_int = 11;
    pub const CONFIG_AUTOCHECKPOINT: c_int = 12;
    pub const SEEK_EQ: c_int = 0;
}

/// A connection of the C API, alone with its file, which is mapped, and otherwise with the settings
/// that ours has by default.
pub struct ByHand {
    db: *mut c_void,
    /// Null until it is asked for.
    csr: *mut c_void,
}

impl ByHand {
    pub fn open(path: &Path) -> ByHand {
        let name = CString::new(path.to_str().unwrap()).unwrap();
        let mut hand = ByHand {
            db: ptr::null_mut(),
            csr: ptr::null_mut(),
        };
        let settings = [
            (c::CONFIG_AUTOFLUSH, 16 * 1024),
            (c::CONFIG_AUTOCHECKPOINT, 4 * 1024),
            (c::CONFIG_MMAP, 1),
            (c::CONFIG_MULTIPLE_PROCESSES, 0),
        ];
        // SAFETY: the calls and their order are those that lsm.h asks for; each result is checked
        // before what it gives is used, and all pointers are to live locals.
        unsafe {
            assert_eq!(c::lsm_new(ptr::null_mut(), &mut hand.db), 0);
            for (what, mut value) in settings {
                let value: *mut c_int = &mut value;
                assert_eq!(c::lsm_config(hand.db, what, value), 0);
            }
            assert_eq!(c::lsm_open(hand.db, name.as_ptr()), 0);
        }
        hand
    }

    /// Opens the cursor that look-ups and scans use; there are no writes from then on.
    pub fn keep_cursor(&mut self) {
        assert!(self.csr.is_null());
        // SAFETY: the connection is open, and the cursor goes to a field.
        unsafe { assert_eq!(c::lsm_csr_open(self.db, &mut self.csr), 0) };
    }

    pub fn insert(&mut self, key: &[u8], value: &[u8]) {
        let [n_key, n_value] = [key, value].map(|bytes| c_int::try_from(bytes.len()).unwrap());
        let (key, value) = (key.as_ptr().cast(), value.as_ptr().cast());
        // SAFETY: the connection is open, both have so many bytes and are copied.
        unsafe { assert_eq!(c::lsm_insert(self.db, key, n_key, value, n_value), 0) };
    }

    /// The first byte of the value with this key.
    pub fn get(&mut self, key: &[u8]) -> u8 {
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
    pub fn scan(&mut self) -> (u64, u64) {
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

impl Drop for ByHand {
    fn drop(&mut self) {
        // SAFETY: what isn't null is open, and nobody uses it afterwards; closing null does nothing.
        unsafe {
            c::lsm_csr_close(self.csr);
            c::lsm_close(self.db);
        }
    }
}
