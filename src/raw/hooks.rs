//! The functions that lsm1 calls back: its log, and page codecs.
//!
//! Each shim finds its context, runs safe code under [`panic::guard`] and translates the
//! result. The contexts are owned by the [`Connection`](super::Connection), at fixed
//! addresses, until after `lsm_close`; lsm1 calls them only during a call on that
//! connection, on the calling thread.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::compression::{self, CodecChoice, CodecError, FileCodec, PageCodec};
use crate::panic;
use crate::{ffi, raw::params};

/// What the shims tell the connection.
#[derive(Default)]
pub(super) struct Report {
    /// The last thing that the engine or a codec complained about.
    last: Mutex<Option<String>>,
    /// The id of a file whose codec isn't known.
    unknown: AtomicU32,
    /// A codec is running, so lsm1 is in the middle of a call on this connection.
    in_codec: AtomicBool,
}

impl Report {
    fn keep(&self, message: String) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    /// Takes the complaint, so that it isn't reported twice.
    pub(super) fn take(&self) -> Option<String> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// True while a codec runs. A codec can get hold of the handle that it works for, and
    /// lsm1 must not be entered a second time.
    pub(super) fn in_codec(&self) -> bool {
        self.in_codec.load(Ordering::Relaxed)
    }

    /// Runs codec code.
    fn enter_codec<T>(&self, fallback: T, work: impl FnOnce() -> T) -> T {
        self.in_codec.store(true, Ordering::Relaxed);
        let result = panic::guard(fallback, work);
        self.in_codec.store(false, Ordering::Relaxed);
        result
    }
}

/// The contexts of one connection.
pub(super) struct Hooks {
    // `Arc`s, because C holds the addresses of what is in them: a `Box` may not be aliased.
    report: Arc<Report>,
    factory: Arc<Factory>,
    preferred: Option<Arc<Slot>>,
}

/// One codec, as C sees it.
struct Slot {
    file: FileCodec,
    report: Arc<Report>,
}

/// The codecs that an existing file may have been written with.
struct Factory {
    slots: Vec<Slot>,
    plain_pages: bool,
    report: Arc<Report>,
}

impl Hooks {
    pub(super) fn new(choice: &CodecChoice) -> Self {
        let report = Arc::new(Report::default());
        let slot = |file: &FileCodec| Slot {
            file: file.clone(),
            report: Arc::clone(&report),
        };
        let all = choice.preferred.iter().chain(&choice.known);
        Hooks {
            factory: Arc::new(Factory {
                slots: all.map(slot).collect(),
                plain_pages: choice.plain_pages,
                report: Arc::clone(&report),
            }),
            preferred: choice.preferred.as_ref().map(slot).map(Arc::new),
            report: Arc::clone(&report),
        }
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    /// What a file needs that was refused because its codec isn't known.
    pub(super) fn mismatch(&self) -> Option<String> {
        let id = self.report.unknown.load(Ordering::Relaxed);
        let known = self.factory.slots.iter().map(|slot| slot.file.id);
        (id != 0).then(|| compression::unknown(id, known))
    }

    /// Hands the contexts to lsm1.
    ///
    /// # Safety
    /// `db` is a live handle that isn't open yet and that no other thread uses, and `self`
    /// is dropped only after `lsm_close(db)`.
    pub(super) unsafe fn install(&self, db: NonNull<ffi::lsm_db>) -> c_int {
        let ctx = Arc::as_ptr(&self.report).cast_mut().cast();
        // SAFETY: `log_shim` has the type that lsm1 asks for, and `ctx` stays valid while
        // `self.report` is held, which outlives `db` (caller).
        unsafe { ffi::lsm_config_log(db.as_ptr(), Some(log_shim), ctx) };
        let mut hooks = ffi::lsm_compress_factory {
            pCtx: Arc::as_ptr(&self.factory).cast_mut().cast(),
            xFactory: Some(factory_shim),
            xFree: None,
        };
        // SAFETY: the context is held by `self`, which outlives `db` (caller).
        let rc = unsafe { params::config_factory(db, &mut hooks) };
        if rc != ffi::LSM_OK {
            return rc;
        }
        match &self.preferred {
            // SAFETY: the slot is held by `self`, which outlives `db` (caller).
            Some(slot) => unsafe { params::config_codec(db, &mut slot.hooks()) },
            None => ffi::LSM_OK,
        }
    }
}

impl Slot {
    fn hooks(&self) -> ffi::lsm_compress {
        ffi::lsm_compress {
            pCtx: ptr::from_ref(self).cast_mut().cast(),
            iId: self.file.id,
            xBound: Some(bound_shim),
            xCompress: Some(compress_shim),
            xUncompress: Some(decompress_shim),
            xFree: None,
            xRun: self.file.page_checksums.then_some(run_shim),
            xChecksum: self.file.page_checksums.then_some(checksum_shim),
        }
    }
}

/// What to tell lsm1 for plain pages: a structure without functions resets the codec.
fn plain_pages() -> ffi::lsm_compress {
    ffi::lsm_compress {
        pCtx: ptr::null_mut(),
        iId: ffi::LSM_COMPRESSION_NONE as c_uint,
        xBound: None,
        xCompress: None,
        xUncompress: None,
        xFree: None,
        xRun: None,
        xChecksum: None,
    }
}

unsafe extern "C" fn log_shim(ctx: *mut c_void, rc: c_int, z_msg: *const c_char) {
    if ctx.is_null() || z_msg.is_null() || rc == ffi::LSM_OK {
        return;
    }
    // SAFETY: `install` passed a `Report` that outlives the handle, and lsm1 passes a
    // nul-terminated string that lives for the call.
    let (sink, text) = unsafe { (&*ctx.cast::<Report>(), CStr::from_ptr(z_msg)) };
    panic::guard((), || sink.keep(text.to_string_lossy().into_owned()));
}

unsafe extern "C" fn factory_shim(ctx: *mut c_void, db: *mut ffi::lsm_db, id: c_uint) -> c_int {
    let Some(db) = NonNull::new(db) else {
        return ffi::LSM_ERROR;
    };
    // SAFETY: `install` passed a `Factory` that outlives the handle.
    let factory = unsafe { &*ctx.cast::<Factory>() };
    let wanted = panic::guard(None, || factory.slots.iter().find(|s| s.file.id == id));
    let mut hooks = match wanted {
        Some(slot) => slot.hooks(),
        None if factory.plain_pages && id == ffi::LSM_COMPRESSION_NONE as c_uint => plain_pages(),
        // lsm1 reports the mismatch itself when the codec hasn't changed.
        None => {
            factory.report.unknown.store(id, Ordering::Relaxed);
            return ffi::LSM_OK;
        }
    };
    // SAFETY: lsm1 calls the factory with its own live handle and allows this call in it;
    // the slot is part of the factory's context, which outlives the handle.
    unsafe { params::config_codec(db, &mut hooks) }
}

unsafe extern "C" fn bound_shim(ctx: *mut c_void, n_src: c_int) -> c_int {
    // SAFETY: `hooks` passed a `Slot` that outlives the handle.
    let slot = unsafe { &*ctx.cast::<Slot>() };
    // A bound that can't be had is answered with the plain length: a page that needs more
    // then fails in `compress`, as an error.
    slot.report.enter_codec(n_src, || {
        let plain_len = usize::try_from(n_src).unwrap_or(0);
        let bound = slot.file.codec.bound(plain_len).min(most_packed(plain_len));
        c_int::try_from(bound).unwrap_or(n_src)
    })
}

/// The most bytes that lsm1 can store for one page: a record may cross one end of a block
/// only, and a block holds at least eight pages.
fn most_packed(plain_len: usize) -> usize {
    plain_len.saturating_mul(4).saturating_add(64)
}

unsafe extern "C" fn compress_shim(
    ctx: *mut c_void,
    p_out: *mut c_char,
    pn_out: *mut c_int,
    p_in: *const c_char,
    n_in: c_int,
) -> c_int {
    // SAFETY: this is `xCompress`, whose arguments are as `run` needs them.
    unsafe {
        run(
            ctx,
            p_out,
            pn_out,
            p_in,
            n_in,
            ffi::LSM_ERROR,
            |codec, src, dst| {
                let used = codec.compress(src, dst)?;
                if used > most_packed(src.len()) {
                    let message = "a compressed page is more than four times as long";
                    return Err(CodecError::new(message));
                }
                Ok(used)
            },
        )
    }
}

unsafe extern "C" fn decompress_shim(
    ctx: *mut c_void,
    p_out: *mut c_char,
    pn_out: *mut c_int,
    p_in: *const c_char,
    n_in: c_int,
) -> c_int {
    // SAFETY: this is `xUncompress`, whose arguments are as `run` needs them.
    unsafe {
        run(
            ctx,
            p_out,
            pn_out,
            p_in,
            n_in,
            ffi::LSM_CORRUPT,
            |codec, src, dst| codec.decompress(src, dst),
        )
    }
}

const _: () = assert!(compression::ID_OFFSET == ffi::LSM_COMPRESSION_CHECKSUMS as u32);

/// `xRun`: a number for a new run of pages.
unsafe extern "C" fn run_shim(_ctx: *mut c_void) -> c_uint {
    panic::guard(1, compression::run_number)
}

/// `xChecksum`: the checksum of `n` bytes at `place` in the file.
unsafe extern "C" fn checksum_shim(
    _ctx: *mut c_void,
    run: c_uint,
    place: ffi::lsm_i64,
    kind: c_int,
    p_data: *const c_char,
    n: c_int,
) -> c_uint {
    let data = match usize::try_from(n) {
        // SAFETY: this is `xChecksum`, whose `p_data` is readable for `n` bytes, which were
        // read from the file or written by a codec.
        Ok(len @ 1..) => unsafe { std::slice::from_raw_parts(p_data.cast::<u8>(), len) },
        _ => &[],
    };
    compression::checksum(run, place, kind, data)
}

/// Runs one direction of a codec on C buffers; `failed` is the code for an error or panic.
///
/// # Safety
/// `ctx` is a live [`Slot`]; `p_in` is readable for `n_in` bytes, `p_out` is writable for
/// `*pn_out` bytes, and the two don't overlap. A negative length counts as an error.
unsafe fn run(
    ctx: *mut c_void,
    p_out: *mut c_char,
    pn_out: *mut c_int,
    p_in: *const c_char,
    n_in: c_int,
    failed: c_int,
    work: impl FnOnce(&dyn PageCodec, &[u8], &mut [u8]) -> Result<usize, CodecError>,
) -> c_int {
    // SAFETY: the caller vouches for `ctx` and `pn_out`.
    let (slot, n_out) = unsafe { (&*ctx.cast::<Slot>(), *pn_out) };
    let (Ok(src_len), Ok(dst_len)) = (usize::try_from(n_in), usize::try_from(n_out)) else {
        return failed;
    };
    if p_in.is_null() || p_out.is_null() {
        return failed;
    }
    // SAFETY: the caller vouches for both ranges. lsm1 may pass memory that was never
    // written, so the output is zeroed before it becomes a slice.
    let (src, dst) = unsafe {
        ptr::write_bytes(p_out, 0, dst_len);
        (
            std::slice::from_raw_parts(p_in.cast::<u8>(), src_len),
            std::slice::from_raw_parts_mut(p_out.cast::<u8>(), dst_len),
        )
    };
    let panicked = Err(CodecError::new("the codec panicked"));
    let outcome = slot.report.enter_codec(panicked, || {
        let used = work(&*slot.file.codec, src, dst)?;
        match c_int::try_from(used) {
            Ok(used) if used <= n_out => Ok(used),
            _ => Err(CodecError::new(
                "the codec claims more bytes than it had room for",
            )),
        }
    });
    match outcome {
        Ok(used) => {
            // SAFETY: the caller vouches for `pn_out`.
            unsafe { *pn_out = used };
            ffi::LSM_OK
        }
        Err(error) => {
            slot.report.keep(error.to_string());
            failed
        }
    }
}
