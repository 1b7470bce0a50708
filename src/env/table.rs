//! The functions that the engine calls: its `lsm_env`.
//!
//! Each translates its arguments, runs safe code under [`panic::guard`] and answers with a
//! code; the words of a failure are kept by [`failure`].

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::file::{self, EngineFile};
use super::system::Access;
use super::{Instance, failure, heap, mutex, recovery};
use crate::{ffi, panic};

/// The engine pads its log to this; it changes the file format, so it is lsm1's own.
const SECTOR_BYTES: c_int = 512;

/// The table without its contexts, which aren't used: the table is the first field of the
/// [`Instance`] and leads to it.
pub(super) fn new() -> ffi::lsm_env {
    ffi::lsm_env {
        nByte: size_of::<ffi::lsm_env>() as c_int,
        iVersion: 1,
        pVfsCtx: ptr::null_mut(),
        xFullpath: Some(full_path),
        xOpen: Some(open),
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        xSectorSize: Some(sector_size),
        xRemap: Some(remap),
        xFileid: Some(file_id),
        xClose: Some(close),
        xUnlink: Some(unlink),
        xLock: Some(lock),
        xTestLock: Some(test_lock),
        xShmMap: Some(map_shared),
        xShmBarrier: Some(barrier),
        xShmUnmap: Some(unmap_shared),
        pMemCtx: ptr::null_mut(),
        xMalloc: Some(heap::malloc),
        xRealloc: Some(heap::realloc),
        xFree: Some(heap::free),
        xSize: Some(heap::size),
        pMutexCtx: ptr::null_mut(),
        xMutexStatic: Some(mutex::of_process),
        xMutexNew: Some(mutex::new),
        xMutexDel: Some(mutex::delete),
        xMutexEnter: Some(mutex::enter),
        xMutexTry: Some(mutex::try_enter),
        xMutexLeave: Some(mutex::leave),
        xMutexHeld: Some(mutex::is_held),
        xMutexNotHeld: Some(mutex::is_not_held),
        xSleep: Some(sleep),
    }
}

/// Runs an operation on a file and keeps the words if it fails.
///
/// # Safety
/// `file` came from [`open`] and isn't closed yet.
unsafe fn on_file(
    file: *mut ffi::lsm_file,
    name: &str,
    operation: impl FnOnce(&EngineFile) -> io::Result<c_int>,
) -> c_int {
    // SAFETY: `open` made it from a box, and it isn't closed (caller); all uses are shared.
    let file = unsafe { &*file.cast::<EngineFile>() };
    panic::guard(ffi::LSM_IOERR, || {
        operation(file).unwrap_or_else(|error| failure::keep(name, file.path(), &error))
    })
}

/// Names come in as [`Instance::name`] gave them out.
unsafe extern "C" fn full_path(
    _: *mut ffi::lsm_env,
    z_name: *const c_char,
    z_out: *mut c_char,
    pn_out: *mut c_int,
) -> c_int {
    // SAFETY: lsm1 passes a nul-terminated string and a live length.
    let (name, room) = unsafe { (CStr::from_ptr(z_name).to_bytes_with_nul(), *pn_out) };
    let Ok(needed) = c_int::try_from(name.len()) else {
        return ffi::LSM_CANTOPEN;
    };
    if needed <= room {
        // SAFETY: lsm1 has `room` bytes there, and they aren't the name's.
        unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), z_out, name.len()) };
    }
    // SAFETY: as above.
    unsafe { *pn_out = needed };
    ffi::LSM_OK
}

unsafe extern "C" fn open(
    env: *mut ffi::lsm_env,
    z_file: *const c_char,
    flags: c_int,
    pp_file: *mut *mut ffi::lsm_file,
) -> c_int {
    // SAFETY: lsm1 passes its environment, a nul-terminated name and a live out-parameter.
    let (instance, path) = unsafe {
        *pp_file = ptr::null_mut();
        (Instance::from_c(env), path(env, z_file))
    };
    let opened = panic::guard(Err(ffi::LSM_IOERR), || {
        let access = match flags & ffi::LSM_OPEN_READONLY {
            0 => Access::ReadWrite,
            _ => Access::Read,
        };
        // The database itself was created before, if it was to be; the rest is the log.
        let opened = if access == Access::Read || instance.is_database(&path) {
            EngineFile::open(&instance.system, path.clone(), access, false)
        } else {
            EngineFile::open_log(&instance.system, path.clone())
        };
        opened.map_err(|error| failure::keep("open", &path, &error))
    });
    match opened {
        Ok(file) => {
            // A failure before it was that of another way to open it.
            failure::take();
            // SAFETY: as above. `close` takes the box back.
            unsafe { *pp_file = Box::into_raw(Box::new(file)).cast() };
            ffi::LSM_OK
        }
        Err(code) => code,
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::lsm_file,
    offset: ffi::lsm_i64,
    data: *mut c_void,
    len: c_int,
) -> c_int {
    let (Some(offset), Ok(len)) = (file::unsigned(offset), usize::try_from(len)) else {
        return ffi::LSM_CORRUPT;
    };
    if len == 0 {
        return ffi::LSM_OK;
    }
    // SAFETY: lsm1 passes `len` writable bytes; they may be uninitialised.
    let buffer = unsafe { slice::from_raw_parts_mut(data.cast::<MaybeUninit<u8>>(), len) };
    // SAFETY: lsm1 passes an open file of ours.
    unsafe {
        on_file(file, "read", |file| {
            let length = buffer.len() as u64;
            file.read(buffer, offset)?;
            if file.is_log() {
                recovery::saw(offset, length);
            }
            Ok(ffi::LSM_OK)
        })
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::lsm_file,
    offset: ffi::lsm_i64,
    data: *mut c_void,
    len: c_int,
) -> c_int {
    let (Some(offset), Ok(len)) = (file::unsigned(offset), usize::try_from(len)) else {
        return ffi::LSM_CORRUPT;
    };
    if len == 0 {
        return ffi::LSM_OK;
    }
    // SAFETY: lsm1 passes `len` bytes, which it has written to (patch 63 saw to pages).
    let bytes = unsafe { slice::from_raw_parts(data.cast::<u8>(), len) };
    // SAFETY: lsm1 passes an open file of ours.
    unsafe {
        on_file(file, "write", |file| {
            file.write(bytes, offset).map(|()| ffi::LSM_OK)
        })
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::lsm_file, length: ffi::lsm_i64) -> c_int {
    let Some(length) = file::unsigned(length) else {
        return ffi::LSM_CORRUPT;
    };
    // SAFETY: lsm1 passes an open file of ours.
    unsafe {
        on_file(file, "truncate", |file| {
            file.truncate(length).map(|()| ffi::LSM_OK)
        })
    }
}

unsafe extern "C" fn sync(file: *mut ffi::lsm_file) -> c_int {
    // SAFETY: lsm1 passes an open file of ours.
    unsafe { on_file(file, "sync", |file| file.sync().map(|()| ffi::LSM_OK)) }
}

unsafe extern "C" fn sector_size(_: *mut ffi::lsm_file) -> c_int {
    SECTOR_BYTES
}

/// A negative size asks for no mapping.
unsafe extern "C" fn remap(
    file: *mut ffi::lsm_file,
    least: ffi::lsm_i64,
    pp_out: *mut *mut c_void,
    pn_out: *mut ffi::lsm_i64,
) -> c_int {
    // SAFETY: lsm1 passes an open file of ours, and live out-parameters, which keep the old
    // mapping if there can't be a new one.
    unsafe {
        on_file(file, "map", |file| {
            let (at, length) = match file::unsigned(least) {
                Some(least) => {
                    let mapping = file.remap(least)?;
                    (mapping.at.as_ptr().cast(), mapping.length)
                }
                None => {
                    file.unmap();
                    (ptr::null_mut(), 0)
                }
            };
            *pp_out = at;
            *pn_out = length.try_into().map_err(|_| io::ErrorKind::OutOfMemory)?;
            Ok(ffi::LSM_OK)
        })
    }
}

/// Device and inode, as lsm1's own environment has them.
unsafe extern "C" fn file_id(
    file: *mut ffi::lsm_file,
    p_buf: *mut c_void,
    pn_buf: *mut c_int,
) -> c_int {
    // SAFETY: lsm1 passes an open file of ours, a live length and as much room as it says.
    unsafe {
        on_file(file, "identify", |file| {
            let identity = file.identity()?;
            let needed = size_of_val(&identity);
            let room = usize::try_from(*pn_buf).unwrap_or(0);
            if needed <= room {
                ptr::copy_nonoverlapping(identity.as_ptr().cast::<u8>(), p_buf.cast(), needed);
            }
            *pn_buf = size_of::<[u64; 2]>() as c_int;
            Ok(ffi::LSM_OK)
        })
    }
}

unsafe extern "C" fn close(file: *mut ffi::lsm_file) -> c_int {
    if !file.is_null() {
        // SAFETY: `open` made it from a box, and lsm1 closes it once.
        let file = unsafe { Box::from_raw(file.cast::<EngineFile>()) };
        panic::guard((), || drop(file));
    }
    ffi::LSM_OK
}

unsafe extern "C" fn unlink(env: *mut ffi::lsm_env, z_file: *const c_char) -> c_int {
    // SAFETY: lsm1 passes its environment and a nul-terminated name.
    let (instance, path) = unsafe { (Instance::from_c(env), path(env, z_file)) };
    panic::guard(ffi::LSM_IOERR, || {
        let removed = match instance.system.remove(&path) {
            // That is what was wanted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => file::sync_parent(&*instance.system, &path),
        };
        match removed {
            Ok(()) => ffi::LSM_OK,
            Err(error) => failure::keep("remove", &path, &error),
        }
    })
}

unsafe extern "C" fn lock(file: *mut ffi::lsm_file, number: c_int, kind: c_int) -> c_int {
    let (Some(number), Some(kind)) = (file::unsigned(number), file::lock_kind(kind)) else {
        return ffi::LSM_MISUSE;
    };
    // SAFETY: lsm1 passes an open file of ours.
    unsafe {
        on_file(file, "lock", |file| {
            Ok(match file.lock(number, kind)? {
                true => ffi::LSM_OK,
                false => ffi::LSM_BUSY,
            })
        })
    }
}

unsafe extern "C" fn test_lock(
    file: *mut ffi::lsm_file,
    first: c_int,
    count: c_int,
    kind: c_int,
) -> c_int {
    let (Some(first), Some(count), Some(kind)) = (
        file::unsigned(first),
        file::unsigned(count),
        file::lock_kind(kind),
    ) else {
        return ffi::LSM_MISUSE;
    };
    // SAFETY: lsm1 passes an open file of ours.
    unsafe {
        on_file(file, "test a lock of", |file| {
            Ok(match file.is_locked(first, count, kind)? {
                true => ffi::LSM_BUSY,
                false => ffi::LSM_OK,
            })
        })
    }
}

unsafe extern "C" fn map_shared(
    file: *mut ffi::lsm_file,
    number: c_int,
    length: c_int,
    pp_out: *mut *mut c_void,
) -> c_int {
    let (Ok(number), Ok(length)) = (usize::try_from(number), usize::try_from(length)) else {
        return ffi::LSM_MISUSE;
    };
    // SAFETY: lsm1 passes an open file of ours and a live out-parameter.
    unsafe {
        on_file(file, "map the shared memory (-shm) of", |file| {
            *pp_out = ptr::null_mut();
            *pp_out = file.shared_chunk(number, length)?.as_ptr().cast();
            Ok(ffi::LSM_OK)
        })
    }
}

/// What was written to shared memory before is seen by others before what is written after.
unsafe extern "C" fn barrier() {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn unmap_shared(file: *mut ffi::lsm_file, remove: c_int) -> c_int {
    // SAFETY: lsm1 passes an open file of ours.
    unsafe {
        on_file(file, "remove the shared memory (-shm) of", |file| {
            file.drop_shared(remove != 0).map(|()| ffi::LSM_OK)
        })
    }
}

unsafe extern "C" fn sleep(env: *mut ffi::lsm_env, us: c_int) -> c_int {
    // SAFETY: lsm1 passes its environment.
    let instance = unsafe { Instance::from_c(env) };
    panic::guard((), || {
        let us = file::unsigned(us).unwrap_or(0);
        instance.system.sleep(Duration::from_micros(us));
    });
    ffi::LSM_OK
}

/// The path in a name of the engine's.
///
/// # Safety
/// `env` is the environment of a live [`Instance`], and `z_name` is nul-terminated.
unsafe fn path(env: *mut ffi::lsm_env, z_name: *const c_char) -> PathBuf {
    // SAFETY: the caller vouches for both.
    let (instance, name) = unsafe { (Instance::from_c(env), CStr::from_ptr(z_name)) };
    let name = name.to_bytes();
    let path = name.strip_prefix(&*instance.prefix).unwrap_or(name);
    Path::new(OsStr::from_bytes(path)).to_owned()
}
