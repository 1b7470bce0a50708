pub const LSM_LOCK_UNLOCK: i32 = 0;
pub const LSM_LOCK_SHARED: i32 = 1;
pub const LSM_LOCK_EXCL: i32 = 2;
pub const LSM_OPEN_READONLY: i32 = 1;
pub const LSM_MUTEX_GLOBAL: i32 = 1;
pub const LSM_MUTEX_HEAP: i32 = 2;
pub const LSM_OK: i32 = 0;
pub const LSM_ERROR: i32 = 1;
pub const LSM_BUSY: i32 = 5;
pub const LSM_NOMEM: i32 = 7;
pub const LSM_READONLY: i32 = 8;
pub const LSM_IOERR: i32 = 10;
pub const LSM_CORRUPT: i32 = 11;
pub const LSM_FULL: i32 = 13;
pub const LSM_CANTOPEN: i32 = 14;
pub const LSM_PROTOCOL: i32 = 15;
pub const LSM_MISUSE: i32 = 21;
pub const LSM_MISMATCH: i32 = 50;
pub const LSM_IOERR_NOENT: i32 = 266;
pub const LSM_COMMITTED: i32 = 65536;
pub const LSM_CONFIG_AUTOFLUSH: i32 = 1;
pub const LSM_CONFIG_PAGE_SIZE: i32 = 2;
pub const LSM_CONFIG_SAFETY: i32 = 3;
pub const LSM_CONFIG_BLOCK_SIZE: i32 = 4;
pub const LSM_CONFIG_AUTOWORK: i32 = 5;
pub const LSM_CONFIG_MMAP: i32 = 7;
pub const LSM_CONFIG_USE_LOG: i32 = 8;
pub const LSM_CONFIG_AUTOMERGE: i32 = 9;
pub const LSM_CONFIG_MAX_FREELIST: i32 = 10;
pub const LSM_CONFIG_MULTIPLE_PROCESSES: i32 = 11;
pub const LSM_CONFIG_AUTOCHECKPOINT: i32 = 12;
pub const LSM_CONFIG_SET_COMPRESSION: i32 = 13;
pub const LSM_CONFIG_GET_COMPRESSION: i32 = 14;
pub const LSM_CONFIG_SET_COMPRESSION_FACTORY: i32 = 15;
pub const LSM_CONFIG_READONLY: i32 = 16;
pub const LSM_SAFETY_OFF: i32 = 0;
pub const LSM_SAFETY_NORMAL: i32 = 1;
pub const LSM_SAFETY_FULL: i32 = 2;
pub const LSM_COMPRESSION_EMPTY: i32 = 0;
pub const LSM_COMPRESSION_NONE: i32 = 1;
pub const LSM_COMPRESSION_CHECKSUMS: i32 = 1000000000;
pub const LSM_INFO_NWRITE: i32 = 1;
pub const LSM_INFO_NREAD: i32 = 2;
pub const LSM_INFO_DB_STRUCTURE: i32 = 3;
pub const LSM_INFO_LOG_STRUCTURE: i32 = 4;
pub const LSM_INFO_ARRAY_STRUCTURE: i32 = 5;
pub const LSM_INFO_PAGE_ASCII_DUMP: i32 = 6;
pub const LSM_INFO_PAGE_HEX_DUMP: i32 = 7;
pub const LSM_INFO_FREELIST: i32 = 8;
pub const LSM_INFO_ARRAY_PAGES: i32 = 9;
pub const LSM_INFO_CHECKPOINT_SIZE: i32 = 10;
pub const LSM_INFO_TREE_SIZE: i32 = 11;
pub const LSM_INFO_FREELIST_SIZE: i32 = 12;
pub const LSM_INFO_COMPRESSION_ID: i32 = 13;
pub const LSM_SEEK_LEFAST: i32 = -2;
pub const LSM_SEEK_LE: i32 = -1;
pub const LSM_SEEK_EQ: i32 = 0;
pub const LSM_SEEK_GE: i32 = 1;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_cursor {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_db {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_file {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_mutex {
    _unused: [u8; 0],
}
pub type lsm_i64 = ::core::ffi::c_longlong;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_env {
    pub nByte: ::core::ffi::c_int,
    pub iVersion: ::core::ffi::c_int,
    pub pVfsCtx: *mut ::core::ffi::c_void,
    pub xFullpath: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_env,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_char,
            arg4: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xOpen: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_env,
            arg2: *const ::core::ffi::c_char,
            flags: ::core::ffi::c_int,
            arg3: *mut *mut lsm_file,
        ) -> ::core::ffi::c_int,
    >,
    pub xRead: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            arg2: lsm_i64,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xWrite: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            arg2: lsm_i64,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xTruncate: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut lsm_file, arg2: lsm_i64) -> ::core::ffi::c_int,
    >,
    pub xSync:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_file) -> ::core::ffi::c_int>,
    pub xSectorSize:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_file) -> ::core::ffi::c_int>,
    pub xRemap: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            arg2: lsm_i64,
            arg3: *mut *mut ::core::ffi::c_void,
            arg4: *mut lsm_i64,
        ) -> ::core::ffi::c_int,
    >,
    pub xFileid: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            pBuf: *mut ::core::ffi::c_void,
            pnBuf: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xClose:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_file) -> ::core::ffi::c_int>,
    pub xUnlink: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_env,
            arg2: *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xLock: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xTestLock: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xShmMap: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_file,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub xShmBarrier: ::core::option::Option<unsafe extern "C" fn()>,
    pub xShmUnmap: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut lsm_file, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub pMemCtx: *mut ::core::ffi::c_void,
    pub xMalloc: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut lsm_env, arg2: usize) -> *mut ::core::ffi::c_void,
    >,
    pub xRealloc: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_env,
            arg2: *mut ::core::ffi::c_void,
            arg3: usize,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub xFree: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut lsm_env, arg2: *mut ::core::ffi::c_void),
    >,
    pub xSize: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut lsm_env, arg2: *mut ::core::ffi::c_void) -> usize,
    >,
    pub pMutexCtx: *mut ::core::ffi::c_void,
    pub xMutexStatic: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_env,
            arg2: ::core::ffi::c_int,
            arg3: *mut *mut lsm_mutex,
        ) -> ::core::ffi::c_int,
    >,
    pub xMutexNew: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut lsm_env, arg2: *mut *mut lsm_mutex) -> ::core::ffi::c_int,
    >,
    pub xMutexDel: ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_mutex)>,
    pub xMutexEnter: ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_mutex)>,
    pub xMutexTry:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_mutex) -> ::core::ffi::c_int>,
    pub xMutexLeave: ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_mutex)>,
    pub xMutexHeld:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_mutex) -> ::core::ffi::c_int>,
    pub xMutexNotHeld:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut lsm_mutex) -> ::core::ffi::c_int>,
    pub xSleep: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut lsm_env,
            microseconds: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_compress {
    pub pCtx: *mut ::core::ffi::c_void,
    pub iId: ::core::ffi::c_uint,
    pub xBound: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut ::core::ffi::c_void,
            nSrc: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xCompress: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut ::core::ffi::c_void,
            arg2: *mut ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_int,
            arg4: *const ::core::ffi::c_char,
            arg5: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xUncompress: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut ::core::ffi::c_void,
            arg2: *mut ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_int,
            arg4: *const ::core::ffi::c_char,
            arg5: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xFree: ::core::option::Option<unsafe extern "C" fn(pCtx: *mut ::core::ffi::c_void)>,
    pub xRun: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> ::core::ffi::c_uint,
    >,
    pub xChecksum: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut ::core::ffi::c_void,
            iRun: ::core::ffi::c_uint,
            iPlace: lsm_i64,
            eKind: ::core::ffi::c_int,
            arg2: *const ::core::ffi::c_char,
            n: ::core::ffi::c_int,
        ) -> ::core::ffi::c_uint,
    >,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsm_compress_factory {
    pub pCtx: *mut ::core::ffi::c_void,
    pub xFactory: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut ::core::ffi::c_void,
            arg2: *mut lsm_db,
            arg3: ::core::ffi::c_uint,
        ) -> ::core::ffi::c_int,
    >,
    pub xFree: ::core::option::Option<unsafe extern "C" fn(pCtx: *mut ::core::ffi::c_void)>,
}
pub type lsmlite_source = ::core::option::Option<
    unsafe extern "C" fn(
        pCtx: *mut ::core::ffi::c_void,
        pbRecord: *mut ::core::ffi::c_int,
        ppKey: *mut *const ::core::ffi::c_void,
        pnKey: *mut ::core::ffi::c_int,
        ppVal: *mut *const ::core::ffi::c_void,
        pnVal: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct lsmlite_record {
    pub pKey: *const ::core::ffi::c_void,
    pub pVal: *const ::core::ffi::c_void,
    pub nKey: ::core::ffi::c_int,
    pub nVal: ::core::ffi::c_int,
}
unsafe extern "C" {
    #[link_name = "lsmlite_lsm_new"]
    pub fn lsm_new(arg1: *mut lsm_env, ppDb: *mut *mut lsm_db) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_close"]
    pub fn lsm_close(pDb: *mut lsm_db) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_open"]
    pub fn lsm_open(pDb: *mut lsm_db, zFilename: *const ::core::ffi::c_char) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_get_env"]
    pub fn lsm_get_env(pDb: *mut lsm_db) -> *mut lsm_env;
    #[link_name = "lsmlite_lsm_default_env"]
    pub fn lsm_default_env() -> *mut lsm_env;
    #[link_name = "lsmlite_lsm_config"]
    pub fn lsm_config(arg1: *mut lsm_db, arg2: ::core::ffi::c_int, ...) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_malloc"]
    pub fn lsm_malloc(arg1: *mut lsm_env, arg2: usize) -> *mut ::core::ffi::c_void;
    #[link_name = "lsmlite_lsm_realloc"]
    pub fn lsm_realloc(
        arg1: *mut lsm_env,
        arg2: *mut ::core::ffi::c_void,
        arg3: usize,
    ) -> *mut ::core::ffi::c_void;
    #[link_name = "lsmlite_lsm_free"]
    pub fn lsm_free(arg1: *mut lsm_env, arg2: *mut ::core::ffi::c_void);
    #[link_name = "lsmlite_lsm_info"]
    pub fn lsm_info(arg1: *mut lsm_db, arg2: ::core::ffi::c_int, ...) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_get_user_version"]
    pub fn lsm_get_user_version(
        arg1: *mut lsm_db,
        arg2: *mut ::core::ffi::c_uint,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_set_user_version"]
    pub fn lsm_set_user_version(arg1: *mut lsm_db, arg2: ::core::ffi::c_uint)
    -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_begin"]
    pub fn lsm_begin(pDb: *mut lsm_db, iLevel: ::core::ffi::c_int) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_commit"]
    pub fn lsm_commit(pDb: *mut lsm_db, iLevel: ::core::ffi::c_int) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_rollback"]
    pub fn lsm_rollback(pDb: *mut lsm_db, iLevel: ::core::ffi::c_int) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_insert"]
    pub fn lsm_insert(
        arg1: *mut lsm_db,
        pKey: *const ::core::ffi::c_void,
        nKey: ::core::ffi::c_int,
        pVal: *const ::core::ffi::c_void,
        nVal: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_delete"]
    pub fn lsm_delete(
        arg1: *mut lsm_db,
        pKey: *const ::core::ffi::c_void,
        nKey: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_delete_range"]
    pub fn lsm_delete_range(
        arg1: *mut lsm_db,
        pKey1: *const ::core::ffi::c_void,
        nKey1: ::core::ffi::c_int,
        pKey2: *const ::core::ffi::c_void,
        nKey2: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_work"]
    pub fn lsm_work(
        pDb: *mut lsm_db,
        nMerge: ::core::ffi::c_int,
        nKB: ::core::ffi::c_int,
        pnWrite: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_flush"]
    pub fn lsm_flush(pDb: *mut lsm_db) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_checkpoint"]
    pub fn lsm_checkpoint(pDb: *mut lsm_db, pnKB: *mut ::core::ffi::c_int) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_open"]
    pub fn lsm_csr_open(pDb: *mut lsm_db, ppCsr: *mut *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_close"]
    pub fn lsm_csr_close(pCsr: *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_seek"]
    pub fn lsm_csr_seek(
        pCsr: *mut lsm_cursor,
        pKey: *const ::core::ffi::c_void,
        nKey: ::core::ffi::c_int,
        eSeek: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_first"]
    pub fn lsm_csr_first(pCsr: *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_last"]
    pub fn lsm_csr_last(pCsr: *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_next"]
    pub fn lsm_csr_next(pCsr: *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_prev"]
    pub fn lsm_csr_prev(pCsr: *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_valid"]
    pub fn lsm_csr_valid(pCsr: *mut lsm_cursor) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_key"]
    pub fn lsm_csr_key(
        pCsr: *mut lsm_cursor,
        ppKey: *mut *const ::core::ffi::c_void,
        pnKey: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_value"]
    pub fn lsm_csr_value(
        pCsr: *mut lsm_cursor,
        ppVal: *mut *const ::core::ffi::c_void,
        pnVal: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_csr_cmp"]
    pub fn lsm_csr_cmp(
        pCsr: *mut lsm_cursor,
        pKey: *const ::core::ffi::c_void,
        nKey: ::core::ffi::c_int,
        piRes: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    #[link_name = "lsmlite_lsm_config_log"]
    pub fn lsm_config_log(
        arg1: *mut lsm_db,
        arg2: ::core::option::Option<
            unsafe extern "C" fn(
                arg1: *mut ::core::ffi::c_void,
                arg2: ::core::ffi::c_int,
                arg3: *const ::core::ffi::c_char,
            ),
        >,
        arg3: *mut ::core::ffi::c_void,
    );
    #[link_name = "lsmlite_lsm_config_work_hook"]
    pub fn lsm_config_work_hook(
        arg1: *mut lsm_db,
        arg2: ::core::option::Option<
            unsafe extern "C" fn(arg1: *mut lsm_db, arg2: *mut ::core::ffi::c_void),
        >,
        arg3: *mut ::core::ffi::c_void,
    );
    pub fn lsmlite_abandon(db: *mut lsm_db);
    pub fn lsmlite_snapshot(
        db: *mut lsm_db,
        aOut: *mut ::core::ffi::c_uint,
        pnOut: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_read(
        db: *mut lsm_db,
        iOff: lsm_i64,
        pOut: *mut ::core::ffi::c_void,
        n: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_ingest(
        db: *mut lsm_db,
        xNext: lsmlite_source,
        pCtx: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_get(
        db: *mut lsm_db,
        pKey: *const ::core::ffi::c_void,
        nKey: ::core::ffi::c_int,
        ppCsr: *mut *mut lsm_cursor,
        ppVal: *mut *const ::core::ffi::c_void,
        pnVal: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_csr_step(
        pCsr: *mut lsm_cursor,
        iDir: ::core::ffi::c_int,
        pbRecord: *mut ::core::ffi::c_int,
        ppKey: *mut *const ::core::ffi::c_void,
        pnKey: *mut ::core::ffi::c_int,
        ppVal: *mut *const ::core::ffi::c_void,
        pnVal: *mut ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_csr_ahead(
        pCsr: *mut lsm_cursor,
        iDir: ::core::ffi::c_int,
        aOut: *mut lsmlite_record,
        nMax: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_csr_pass(
        pCsr: *mut lsm_cursor,
        iDir: ::core::ffi::c_int,
        n: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
    pub fn lsmlite_expect(
        db: *mut lsm_db,
        aRecord: *const lsmlite_record,
        nRecord: ::core::ffi::c_int,
    );
    pub fn lsmlite_page_cache(db: *mut lsm_db, nKib: ::core::ffi::c_int) -> ::core::ffi::c_int;
    pub fn lsmlite_cache_hits(db: *mut lsm_db) -> lsm_i64;
    pub fn lsmlite_filter_memory(db: *mut lsm_db, nKib: ::core::ffi::c_int) -> ::core::ffi::c_int;
    pub fn lsmlite_filter_stats(
        db: *mut lsm_db,
        pnByte: *mut lsm_i64,
        pnSkip: *mut lsm_i64,
        pnVain: *mut lsm_i64,
    );
}
