//! Joins the separate sources of SQLite's `ext/lsm1` into one text.
//!
//! The result equals, byte for byte, what SQLite's own script makes of them when the
//! virtual table (which needs SQLite itself) is left out; the checksum proves it.

use std::fs;
use std::path::Path;

const FILES: [&str; 15] = [
    "lsm.h",
    "lsmInt.h",
    "lsm_ckpt.c",
    "lsm_file.c",
    "lsm_log.c",
    "lsm_main.c",
    "lsm_mem.c",
    "lsm_mutex.c",
    "lsm_shared.c",
    "lsm_sorted.c",
    "lsm_str.c",
    "lsm_tree.c",
    "lsm_unix.c",
    "lsm_varint.c",
    "lsm_win32.c",
];

/// Debugging aids go with SQLite's switch for them, and nothing else is compiled at all
/// in a SQLite that doesn't ask for lsm1. The odd spaces are SQLite's, and count.
const HEAD: &str = "

#if !defined(SQLITE_CORE) || defined(SQLITE_ENABLE_LSM1) 

#if !defined(NDEBUG) && !defined(SQLITE_DEBUG) 
# define NDEBUG 1
#endif
#if defined(NDEBUG) && defined(SQLITE_DEBUG)
# undef NDEBUG
#endif

";

const FOOT: &str = "
    
#endif /* !defined(SQLITE_CORE) || defined(SQLITE_ENABLE_LSM1) */
";

/// Joins the sources in `folder`, or says which one can't be read.
pub fn join(folder: &Path) -> Result<String, String> {
    let mut text = String::from(HEAD);
    for name in FILES {
        let path = folder.join(name);
        let source = fs::read_to_string(&path).map_err(|error| {
            format!(
                "{} can't be read ({error}); LSM1_SOURCE must name SQLite's folder ext/lsm1 \
                 with all its sources, or one amalgamated file.",
                path.display()
            )
        })?;
        text.push_str(&format!("#line 1 \"{name}\"\n"));
        for line in source.split('\n') {
            push_line(&mut text, line);
        }
    }
    text.push_str(FOOT);
    Ok(text)
}

fn push_line(text: &mut String, line: &str) {
    if includes_a_joined_file(line) {
        text.push_str("/* ");
        text.push_str(line);
        text.push_str(" */");
    } else {
        if starts_an_internal_function(line) {
            text.push_str("static ");
        }
        text.push_str(line);
    }
    text.push('\n');
}

fn includes_a_joined_file(line: &str) -> bool {
    let Some(directive) = line.strip_prefix('#') else {
        return false;
    };
    match directive.trim_start().strip_prefix("include \"") {
        Some(rest) => FILES.contains(&rest.trim_end_matches('"')),
        None => false,
    }
}

/// A type of one word without underscores, then `lsm` and a capital: such a function is
/// shared between the separate files, and private once they are one.
fn starts_an_internal_function(line: &str) -> bool {
    let Some((kind, rest)) = line.split_once(' ') else {
        return false;
    };
    let name = rest.strip_prefix('*').unwrap_or(rest);
    !kind.is_empty()
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name
            .strip_prefix("lsm")
            .is_some_and(|tail| tail.starts_with(|first: char| first.is_ascii_uppercase()))
}
