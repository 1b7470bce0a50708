//! lsm1's two variadic functions, each behind typed calls.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};

use crate::ffi;

/// Sets integer parameter `e_param` and returns the result code and the value that lsm1
/// wrote back (it answers with what is in force).
///
/// # Safety
/// `db` is a live handle that no other thread uses during the call, and `e_param` is one
/// of the `LSM_CONFIG_*` whose argument is an `int *`.
pub(super) unsafe fn config_int(
    db: NonNull<ffi::lsm_db>,
    e_param: c_int,
    value: c_int,
) -> (c_int, c_int) {
    let mut in_out = value;
    // SAFETY: the caller vouches for `db` and for the argument's type; `in_out` is a live
    // local that lsm1 reads and writes during the call only.
    let rc = unsafe { ffi::lsm_config(db.as_ptr(), e_param, &mut in_out as *mut c_int) };
    (rc, in_out)
}

/// Sets the page codec; lsm1 copies the structure.
///
/// # Safety
/// `db` as above, and what `hooks` points to outlives `db`.
pub(super) unsafe fn config_codec(
    db: NonNull<ffi::lsm_db>,
    hooks: &mut ffi::lsm_compress,
) -> c_int {
    // SAFETY: the argument of this parameter is `lsm_compress *`; the rest is the caller's.
    unsafe {
        ffi::lsm_config(
            db.as_ptr(),
            ffi::LSM_CONFIG_SET_COMPRESSION,
            hooks as *mut ffi::lsm_compress,
        )
    }
}

/// Sets the factory that is asked for unknown codecs; lsm1 copies the structure.
///
/// # Safety
/// `db` as above, and what `factory` points to outlives `db`.
pub(super) unsafe fn config_factory(
    db: NonNull<ffi::lsm_db>,
    factory: &mut ffi::lsm_compress_factory,
) -> c_int {
    // SAFETY: the argument of this parameter is `lsm_compress_factory *`; the rest is the
    // caller's.
    unsafe {
        ffi::lsm_config(
            db.as_ptr(),
            ffi::LSM_CONFIG_SET_COMPRESSION_FACTORY,
            factory as *mut ffi::lsm_compress_factory,
        )
    }
}

/// Asks for one integer.
///
/// # Safety
/// `db` is a live, open handle that no other thread uses during the call, and `e_param` is
/// one of the `LSM_INFO_*` whose argument is a single `int *` or `unsigned int *`.
pub(super) unsafe fn info_int(db: NonNull<ffi::lsm_db>, e_param: c_int) -> (c_int, c_int) {
    let mut out: c_int = 0;
    // SAFETY: the caller vouches for `db` and the argument's type; `out` is a live local.
    let rc = unsafe { ffi::lsm_info(db.as_ptr(), e_param, &mut out as *mut c_int) };
    (rc, out)
}

/// Asks for the sizes of the old and the live in-memory tree, in KiB.
///
/// # Safety
/// `db` as above, and open for writing: for others lsm1 would follow a null pointer.
pub(super) unsafe fn info_tree_size(db: NonNull<ffi::lsm_db>) -> (c_int, c_int, c_int) {
    let (mut old_kb, mut new_kb): (c_int, c_int) = (0, 0);
    // SAFETY: this parameter takes two `int *`; both are live locals. The rest is the
    // caller's.
    let rc = unsafe {
        ffi::lsm_info(
            db.as_ptr(),
            ffi::LSM_INFO_TREE_SIZE,
            &mut old_kb as *mut c_int,
            &mut new_kb as *mut c_int,
        )
    };
    (rc, old_kb, new_kb)
}

/// Asks for a text, which lsm1 allocates and this frees; `None` where lsm1 gives none.
///
/// # Safety
/// `db` as above, and `e_param` is one of the `LSM_INFO_*` whose argument is a single
/// `char **`.
pub(super) unsafe fn info_text(
    db: NonNull<ffi::lsm_db>,
    e_param: c_int,
) -> (c_int, Option<String>) {
    let mut text: *mut c_char = ptr::null_mut();
    // SAFETY: the caller vouches for `db` and the argument's type; `text` is a live local.
    let rc = unsafe { ffi::lsm_info(db.as_ptr(), e_param, &mut text as *mut *mut c_char) };
    if rc != ffi::LSM_OK || text.is_null() {
        // After an error lsm1 has freed what it had, and may leave the pointer as it was.
        return (rc, None);
    }
    // SAFETY: on success lsm1 hands over a nul-terminated string of its own making.
    let owned = unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned();
    // SAFETY: the text came from this connection's allocator and nobody else has it.
    unsafe { ffi::lsm_free(ffi::lsm_get_env(db.as_ptr()), text.cast()) };
    (rc, Some(owned))
}
