//! Checking an archive against its own hashes and, byte by byte, against the files on disk.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::layout::{self, CHUNK, Entry, Kind};
use crate::pack::fill;
use crate::reader::Archive;
use crate::show::{self, Progress};

/// Checks everything in `archive`; with a folder, compares it with the files there.
/// Prints a line of the table and returns a sentence for each thing that isn't right.
pub fn verify(archive: &Archive, folder: Option<&Path>) -> Result<Vec<String>, Box<dyn Error>> {
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        return Err(format!("{folder} is not a folder: name the one that was packed").into());
    }
    let mut total = 0;
    for listed in archive.entries().flatten() {
        if let Kind::File { size, .. } = listed.entry.kind {
            total += size;
        }
    }
    let progress = Progress::of_bytes("verify", total);
    let mut problems = Vec::new();
    let mut digest = blake3::Hasher::new();
    let (mut entries, mut files, mut bytes) = (0, 0, 0);
    for listed in archive.entries() {
        let listed = listed?;
        layout::add_to_digest(&mut digest, &listed.key, &listed.value);
        entries += 1;
        let entry = &listed.entry;
        if let Kind::File { size, .. } = entry.kind {
            files += 1;
            bytes += size;
        }
        let against_itself = check_content(archive, entry, folder, &progress);
        let problem = match (against_itself, folder) {
            (Err(problem), _) => Err(problem),
            (Ok(()), Some(folder)) => compare_kind(entry, folder),
            (Ok(()), None) => Ok(()),
        };
        if let Err(problem) = problem {
            problems.push(format!("{}: {problem}", show::name(&entry.path)));
        }
    }
    if (entries, *digest.finalize().as_bytes()) != (archive.header.entries, archive.header.digest) {
        problems.push("the list of files isn't the one that was packed".into());
    }
    let what = match folder {
        Some(_) => format!(
            "every byte of {} against the disk",
            show::count(files, "file")
        ),
        None => format!("the hashes of {}", show::count(files, "file")),
    };
    show::stage("verify", &what, bytes, progress.finish());
    Ok(problems)
}

/// The content of a file has the size and hash that are stored, and is that of the file in
/// `folder`.
fn check_content(
    archive: &Archive,
    entry: &Entry,
    folder: Option<&Path>,
    progress: &Progress,
) -> Result<(), String> {
    let Kind::File { number, size, hash } = entry.kind else {
        return Ok(());
    };
    let mut on_disk = folder
        .map(|folder| open(entry, folder).map_err(|error| format!("can't compare: {error}")))
        .transpose()?;
    let mut same = true;
    let mut buffer = [0; CHUNK];
    let mut hasher = blake3::Hasher::new();
    let mut length = 0;
    for chunk in archive.content(number) {
        let chunk = chunk.map_err(|error| format!("can't be read: {error}"))?;
        hasher.update(&chunk);
        length += chunk.len() as u64;
        progress.advance(chunk.len() as u64);
        if let Some(file) = &mut on_disk {
            let buffer = &mut buffer[..chunk.len().min(CHUNK)];
            let n = fill(file, buffer).map_err(|error| format!("can't compare: {error}"))?;
            same &= buffer[..n] == chunk[..];
        }
    }
    if (length, *hasher.finalize().as_bytes()) != (size, hash) {
        return Err("its content in the archive is damaged".into());
    }
    if let Some(file) = &mut on_disk {
        let rest =
            fill(file, &mut buffer[..1]).map_err(|error| format!("can't compare: {error}"))?;
        same &= rest == 0;
    }
    match same {
        true => Ok(()),
        false => Err("the file on disk is different; was it changed since it was packed?".into()),
    }
}

fn open(entry: &Entry, folder: &Path) -> io::Result<File> {
    let path = layout::to_path(&entry.path).ok_or(io::ErrorKind::InvalidInput)?;
    let path = folder.join(path);
    if !fs::symlink_metadata(&path)?.is_file() {
        return Err(io::Error::other("it isn't a file on disk"));
    }
    File::open(path)
}

/// A folder is a folder on disk, a link points to the same place.
fn compare_kind(entry: &Entry, folder: &Path) -> Result<(), String> {
    let path = layout::to_path(&entry.path).ok_or("its path leads out of the folder")?;
    let path = folder.join(path);
    let same = match &entry.kind {
        Kind::File { .. } => true,
        Kind::Folder => fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()),
        Kind::Link { target } => fs::read_link(path)
            .is_ok_and(|path| layout::name_bytes(path.as_os_str()) == Some(&target[..])),
    };
    match same {
        true => Ok(()),
        false => Err("it isn't the same on disk".into()),
    }
}
