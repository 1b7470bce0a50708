//! Compiles the patched text into the static library `lsm1`.

use super::{rerun_if_changed, write};
use std::env;
use std::path::Path;

/// Every symbol that lsm1 exports: its public functions, and some internal ones that the
/// amalgamation leaves visible. Each gets the prefix `lsmlite_`, so that a program may hold
/// another copy of lsm1.
pub const EXPORTED: &[&str] = &[
    "lsm_begin",
    "lsm_checkpoint",
    "lsm_close",
    "lsm_commit",
    "lsm_config",
    "lsm_config_log",
    "lsm_config_work_hook",
    "lsm_csr_close",
    "lsm_csr_cmp",
    "lsm_csr_first",
    "lsm_csr_key",
    "lsm_csr_last",
    "lsm_csr_next",
    "lsm_csr_open",
    "lsm_csr_prev",
    "lsm_csr_seek",
    "lsm_csr_valid",
    "lsm_csr_value",
    "lsm_default_env",
    "lsm_delete",
    "lsm_delete_range",
    "lsm_flush",
    "lsm_free",
    "lsm_get_env",
    "lsm_get_user_version",
    "lsm_info",
    "lsm_insert",
    "lsm_malloc",
    "lsm_new",
    "lsm_open",
    "lsm_realloc",
    "lsm_rollback",
    "lsm_set_user_version",
    "lsm_work",
    "dbReleaseReadlock",
    "freelistAppend",
    "fsLastPageOnPagesBlock",
    "lsmFsEnv",
    "lsmMCursorDb",
    "lsmPageEnv",
    "mcursorRestore",
    "mcursorSave",
    "sortedDumpPage",
    "sortedDumpSegment",
    // These exist with `engine-asserts` only.
    "dump_node_contents",
    "dump_tree_contents",
    "print_all_db_locks",
    "print_db_locks",
    "shmLockType",
];

/// What is compiled: the patched text and our additions to it, as one translation unit.
///
/// The declarations in front are for `engine-asserts`: the amalgamation declares these
/// functions as global and then defines them as static, which C allows only if a static
/// declaration came first.
const UNIT: &str = "\
#ifdef SQLITE_DEBUG
struct lsm_db;
static int lsmHoldingClientMutex(struct lsm_db *);
static int lsmShmAssertLock(struct lsm_db *, int, int);
static int lsmShmAssertWorker(struct lsm_db *);
#endif
#include \"lsm1.c\"
";

/// Our additions.
const OURS: &[&str] = &[
    "expect.c",
    "filter.c",
    "lookup.c",
    "scan.c",
    "sorted_tree.c",
    "extras.c",
    "checksums.c",
    "ingest.c",
];

/// Compiles `lsm1.c` in `out`, with our additions in `lsm1`.
pub fn library(lsm1: &Path, out: &Path) -> Result<(), String> {
    let mut unit = String::from(UNIT);
    for name in OURS {
        let addition = lsm1.join(name);
        if addition.exists() {
            rerun_if_changed(&addition);
            unit.push_str(&format!("#include \"{name}\"\n"));
        }
    }
    let path = out.join("unit.c");
    write(&path, &unit)?;

    println!("cargo::rerun-if-env-changed=LSM1_OPT_LEVEL");
    // Cargo's own level is that of the Rust code. Without optimisation there, a quarter less
    // time to compile is worth more than scans that are a sixth faster.
    let usual = match env::var("OPT_LEVEL").as_deref() {
        Ok("0" | "1") => "2",
        _ => "3",
    };
    let level = env::var("LSM1_OPT_LEVEL").unwrap_or_else(|_| usual.to_owned());

    let mut build = cc::Build::new();
    build
        .file(path)
        .include(out)
        .include(lsm1)
        .opt_level_str(&level)
        .debug(false)
        .warnings(false)
        .flag("-w");
    if is_set("CARGO_CFG_UNIX") {
        build.define("LSM_MUTEX_PTHREADS", "1");
    }
    if env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple") {
        // Apple's headers don't declare it, and SQLite itself does the same.
        build.define("fdatasync", "fsync");
    }
    if is_set("CARGO_FEATURE_ENGINE_ASSERTS") {
        build.define("SQLITE_DEBUG", "1");
    } else {
        build.define("NDEBUG", "1");
    }
    for name in EXPORTED {
        build.define(name, format!("lsmlite_{name}").as_str());
    }
    build.try_compile("lsmlite_lsm1").map_err(|error| {
        format!(
            "lsm1 could not be compiled: {error}\n\
             It is written in C. If there is no C compiler, install one (gcc or clang on Unix, \
             the C++ build tools of Visual Studio on Windows) or name yours in the variable CC; \
             if there is one, its own messages say more."
        )
    })
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some()
}
