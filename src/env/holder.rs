//! Finds the process that holds a lock of the open-file kind, which has no owner that the
//! system would name.

use super::system::{Bytes, Identity};

/// Looks through `/proc` for a process that has the file open and a lock on these bytes.
/// Processes of other users can't be looked into.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn search(identity: Identity, bytes: Bytes) -> Option<u32> {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    let own = std::process::id();
    let mut found = None;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|s| s.parse().ok()) else {
            continue;
        };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = files.flatten().any(|file| {
            // Follows the link: this is the file itself.
            let same = fs::metadata(file.path()).is_ok_and(|metadata| {
                metadata.dev() == identity.device && metadata.ino() == identity.inode
            });
            same && fs::read_to_string(process.path().join("fdinfo").join(file.file_name()))
                .is_ok_and(|info| info.lines().any(|line| locks(line, bytes)))
        });
        match holds {
            true if pid != own => return Some(pid),
            true => found = Some(pid),
            false => {}
        }
    }
    found
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn search(_: Identity, _: Bytes) -> Option<u32> {
    None
}

/// True for a line such as `lock: 1: OFDLCK ADVISORY WRITE -1 08:01:42 4094 4094` whose last
/// two numbers, the first and last locked byte, overlap these bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn locks(line: &str, bytes: Bytes) -> bool {
    if !line.starts_with("lock:") {
        return false;
    }
    let mut words = line.split_whitespace().rev();
    let (Some(last), Some(first)) = (words.next(), words.next()) else {
        return false;
    };
    let last = last.parse().unwrap_or(u64::MAX);
    first
        .parse()
        .is_ok_and(|first: u64| first < bytes.offset + bytes.length && last >= bytes.offset)
}
