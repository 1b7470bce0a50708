//! What a connection can tell about its database.

use std::ffi::c_int;

use super::{Connection, Param, params};
use crate::error::{LsmError, LsmErrorCode};
use crate::ffi;

/// Sizes of the in-memory trees, in KiB.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeSize {
    /// The tree that waits to be written to the file; 0 if there is none.
    pub(crate) old_kib: u32,
    /// The tree that takes new entries.
    pub(crate) live_kib: u32,
}

/// The filters for missing keys: those of the database, and what this connection had of them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterUse {
    pub(crate) bytes: u64,
    pub(crate) runs_skipped: u64,
    /// Runs that were searched and didn't have the key.
    pub(crate) runs_in_vain: u64,
}

/// What lsm1 describes as text: lists in braces, of numbers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Description {
    /// A list per level, the newest first: its age, then a list per segment, the left-hand one
    /// first: first page, last page, root page, number of pages.
    Levels = ffi::LSM_INFO_DB_STRUCTURE,
    /// Six byte positions: begin and end of the three regions of the log in use.
    Log = ffi::LSM_INFO_LOG_STRUCTURE,
    /// A list per free block: its number, and the snapshot that freed it.
    FreeBlocks = ffi::LSM_INFO_FREELIST,
}

impl Connection {
    /// How much is held in memory.
    pub(crate) fn tree_size(&self) -> Result<TreeSize, LsmError> {
        self.refuse_read_only("tree size")?;
        self.refuse_reentry("tree size")?;
        // SAFETY: the handle is live, open for writing (just checked; `Connection` exists
        // only open) and used by this thread only.
        let (rc, old_kb, new_kb) = unsafe { params::info_tree_size(self.db) };
        self.check("tree size", rc)?;
        Ok(TreeSize {
            old_kib: u32::try_from(old_kb).unwrap_or(0),
            live_kib: u32::try_from(new_kb).unwrap_or(0),
        })
    }

    /// KiB written to the file since the last checkpoint. Reads a page of the file.
    pub(crate) fn checkpoint_debt_kib(&self) -> Result<u32, LsmError> {
        self.refuse_read_only("checkpoint size")?;
        self.refuse_reentry("checkpoint size")?;
        // SAFETY: as in `tree_size`; the argument is one `int *`.
        let (rc, kb) = unsafe { params::info_int(self.db, ffi::LSM_INFO_CHECKPOINT_SIZE) };
        self.check("checkpoint size", rc)?;
        Ok(u32::try_from(kb).unwrap_or(0))
    }

    /// Pages that this connection has written to the file; wraps round. Cheap.
    pub(crate) fn pages_written(&self) -> Result<u32, LsmError> {
        self.refuse_reentry("pages written")?;
        // SAFETY: the handle is live and open; the argument is one `int *`.
        let (rc, n) = unsafe { params::info_int(self.db, ffi::LSM_INFO_NWRITE) };
        self.check("pages written", rc)?;
        Ok(u32::from_ne_bytes(n.to_ne_bytes()))
    }

    /// Pages that this connection has read from the file; wraps round. Cheap.
    pub(crate) fn pages_read(&self) -> Result<u32, LsmError> {
        self.refuse_reentry("pages read")?;
        // SAFETY: the handle is live and open; the argument is one `int *`.
        let (rc, n) = unsafe { params::info_int(self.db, ffi::LSM_INFO_NREAD) };
        self.check("pages read", rc)?;
        Ok(u32::from_ne_bytes(n.to_ne_bytes()))
    }

    /// Pages that this connection has found in its cache. Cheap.
    pub(crate) fn cache_hits(&self) -> Result<u64, LsmError> {
        self.refuse_reentry("cache hits")?;
        // SAFETY: the handle is live and open, and used by this thread only.
        let hits = unsafe { ffi::lsmlite_cache_hits(self.db.as_ptr()) };
        Ok(u64::try_from(hits).unwrap_or(0))
    }

    /// What the filters for missing keys take and do. Cheap.
    pub(crate) fn filters(&self) -> Result<FilterUse, LsmError> {
        self.refuse_reentry("filters")?;
        let (mut bytes, mut skipped, mut in_vain) = (0, 0, 0);
        // SAFETY: the handle is live and open, and used by this thread only; the rest are live
        // locals.
        unsafe {
            ffi::lsmlite_filter_stats(self.db.as_ptr(), &mut bytes, &mut skipped, &mut in_vain);
        }
        Ok(FilterUse {
            bytes: u64::try_from(bytes).unwrap_or(0),
            runs_skipped: u64::try_from(skipped).unwrap_or(0),
            runs_in_vain: u64::try_from(in_vain).unwrap_or(0),
        })
    }

    /// A description of the database in lsm1's notation; empty if there is nothing to tell.
    ///
    /// # Errors
    /// `LsmBusy` while another connection works on the file.
    pub(crate) fn description(&self, of: Description) -> Result<String, LsmError> {
        self.refuse_read_only("stats")?;
        self.refuse_reentry("stats")?;
        // SAFETY: the handle is live and open for writing (just checked), and used by this
        // thread only; each `Description` takes one `char **`.
        let (rc, text) = unsafe { params::info_text(self.db, of as c_int) };
        self.check("stats", rc)?;
        Ok(text.unwrap_or_default())
    }

    /// The file's page size.
    pub(crate) fn page_size_bytes(&self) -> Result<u32, LsmError> {
        self.refuse_reentry("page size")?;
        // SAFETY: the handle is live and used by this thread only; on an open database this
        // parameter is only read.
        let (rc, bytes) = unsafe { params::config_int(self.db, Param::PageSizeBytes as c_int, 0) };
        self.check("page size", rc)?;
        Ok(u32::try_from(bytes).unwrap_or(0))
    }

    /// The file's block size.
    pub(crate) fn block_size_kib(&self) -> Result<u32, LsmError> {
        self.refuse_reentry("block size")?;
        // SAFETY: as in `page_size_bytes`.
        let (rc, kib) = unsafe { params::config_int(self.db, Param::BlockSizeKib as c_int, 0) };
        self.check("block size", rc)?;
        Ok(u32::try_from(kib).unwrap_or(0))
    }

    /// The id of the page codec in the file; 0 while nothing has been written to it.
    pub(crate) fn compression_id(&self) -> Result<u32, LsmError> {
        // lsm1 answers from the connection's last snapshot, which may be older than the first
        // write to the file; and a read-only handle knows the file only while it has one, lsm1
        // would follow a null pointer otherwise. So take a new one. That its codec is the
        // wrong one doesn't matter here: lsm1 has read the id by then.
        let _snapshot = match self.cursor() {
            Err(error) if error.code() == LsmErrorCode::LsmMismatch && !self.read_only => None,
            snapshot => Some(snapshot?),
        };
        // SAFETY: the handle is live and open, and has a snapshot if it is read-only; the
        // argument is one `unsigned int *`, of the same size and alignment as `int *`.
        let (rc, id) = unsafe { params::info_int(self.db, ffi::LSM_INFO_COMPRESSION_ID) };
        self.check("compression id", rc)?;
        Ok(u32::from_ne_bytes(id.to_ne_bytes()))
    }
}
