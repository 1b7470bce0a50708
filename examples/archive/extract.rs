//! From an archive back to files, never outside of the folder that was named.
//!
//! Each file is written under a temporary name and renamed when its hash is right. Links are
//! made last, so that nothing is ever written through one, and only if they stay inside.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::layout::{self, Entry, Kind};
use crate::reader::Archive;
use crate::show::{self, Progress};

/// Extracts everything; prints a line of the table and returns a sentence for each entry that
/// wasn't extracted.
pub fn extract(
    archive: &Archive,
    folder: &Path,
    force: bool,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut problems = Vec::new();
    let mut wanted = Vec::new();
    let mut total = 0;
    for listed in archive.entries() {
        let entry = listed?.entry;
        let Some(path) = layout::to_path(&entry.path) else {
            let name = show::name(&entry.path);
            problems.push(format!("{name}: refused, the path leads out of the folder"));
            continue;
        };
        let path = folder.join(path);
        let exists = fs::symlink_metadata(&path).is_ok();
        if exists && !force && entry.kind != Kind::Folder {
            let path = path.display();
            return Err(format!("{path} exists: choose another folder or add --force").into());
        }
        if let Kind::File { size, .. } = entry.kind {
            total += size;
        }
        wanted.push((path, entry));
    }
    fs::create_dir_all(folder)
        .map_err(|error| format!("can't make the folder {}: {error}", folder.display()))?;

    let progress = Progress::of_bytes("extract", total);
    let (mut files, mut bytes) = (0, 0);
    let mut done = |path: &Path, result: io::Result<()>| {
        if let Err(error) = result {
            problems.push(format!("{}: {error}", path.display()));
        }
    };
    // Paths are in order, so a folder comes before what is in it.
    for (path, entry) in &wanted {
        let outcome = match entry.kind {
            Kind::Folder => make_folder(folder, path),
            Kind::File { size, .. } => {
                let outcome = write_file(archive, folder, path, entry, force, &progress);
                if outcome.is_ok() {
                    files += 1;
                    bytes += size;
                }
                outcome
            }
            Kind::Link { .. } => Ok(()),
        };
        done(path, outcome);
    }
    for (path, entry) in &wanted {
        if let Kind::Link { target } = &entry.kind {
            done(path, make_link(folder, path, entry, target));
        }
    }
    // Last, because a folder may be read-only; from the inside out.
    for (path, entry) in wanted.iter().rev() {
        if entry.kind == Kind::Folder && fs::symlink_metadata(path).is_ok_and(|m| m.is_dir()) {
            done(path, set_mode(path, entry.mode));
        }
    }
    let what = format!("{} with matching hashes", show::count(files, "file"));
    show::stage("extract", &what, bytes, progress.finish());
    Ok(problems)
}

/// Makes `path` and the folders above it, up to `folder`, all of them real folders: a link
/// that was there before could lead anywhere.
fn make_folder(folder: &Path, path: &Path) -> io::Result<()> {
    let mut current = folder.to_owned();
    for part in path.strip_prefix(folder).map_err(io::Error::other)? {
        current.push(part);
        match fs::symlink_metadata(&current) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let current = current.display();
                return Err(io::Error::other(format!("{current} is in the way")));
            }
            Err(_) => fs::create_dir(&current)?,
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn write_file(
    archive: &Archive,
    folder: &Path,
    path: &Path,
    entry: &Entry,
    force: bool,
    progress: &Progress,
) -> io::Result<()> {
    let Kind::File { number, size, hash } = entry.kind else {
        return Ok(());
    };
    make_folder(folder, parent(path))?;
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io::Error::other("a folder is in the way"));
    }
    let mut file = tempfile::Builder::new()
        .prefix(".archive-")
        .tempfile_in(parent(path))?;
    let mut hasher = blake3::Hasher::new();
    let mut length = 0;
    for chunk in archive.content(number) {
        let chunk = chunk.map_err(io::Error::other)?;
        hasher.update(&chunk);
        length += chunk.len() as u64;
        file.write_all(&chunk)?;
        progress.advance(chunk.len() as u64);
    }
    if (length, *hasher.finalize().as_bytes()) != (size, hash) {
        return Err(io::Error::other("its content in the archive is damaged"));
    }
    set_modified(file.as_file(), entry.modified_ns)?;
    set_mode(file.path(), entry.mode)?;
    match force {
        true => file.persist(path)?,
        false => file.persist_noclobber(path)?,
    };
    Ok(())
}

fn make_link(folder: &Path, path: &Path, entry: &Entry, target: &[u8]) -> io::Result<()> {
    let Some(target) = layout::bytes_name(target).map(PathBuf::from) else {
        return Err(io::Error::other("where it points to isn't a path here"));
    };
    if !stays_inside(&entry.path, &target) {
        let target = show::name(target.as_os_str().as_encoded_bytes());
        let message = format!("left out, the link leads out of the folder, to {target}");
        return Err(io::Error::other(message));
    }
    make_folder(folder, parent(path))?;
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir()) {
        // We are here only with --force.
        fs::remove_file(path)?;
    }
    symlink(&target, path)
}

/// A link at `link`, relative to the folder, that points to `target` leads into the folder.
fn stays_inside(link: &[u8], target: &Path) -> bool {
    let mut depth = link.iter().filter(|&&byte| byte == b'/').count();
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}
#[cfg(not(unix))]
fn symlink(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::Error::other(
        "left out, links can't be made on this system",
    ))
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777))
}
#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

fn set_modified(file: &File, ns: i64) -> io::Result<()> {
    let distance = Duration::from_nanos(ns.unsigned_abs());
    let time: Option<SystemTime> = match ns < 0 {
        true => UNIX_EPOCH.checked_sub(distance),
        false => UNIX_EPOCH.checked_add(distance),
    };
    time.map_or(Ok(()), |time| file.set_modified(time))
}
