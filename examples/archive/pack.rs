//! From a folder to an archive: find, pack, compact.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::BackgroundMode;
use walkdir::WalkDir;

use crate::layout::{self, CHUNK, Entry, Header, Kind};
use crate::show::{self, Progress};

/// What was packed, and what couldn't be.
#[derive(Default)]
pub struct Packed {
    /// Content, in bytes.
    pub bytes: u64,
    /// Size of the archive.
    pub archive_bytes: u64,
    /// How many files.
    pub files: u64,
    /// A sentence for each file that isn't in the archive.
    pub problems: Vec<String>,
}

/// Packs `root` into `output`, which appears only when it is complete.
pub fn pack(
    root: &Path,
    output: &Path,
    codec: Compression,
    skip: &[OsString],
    force: bool,
) -> Result<Packed, Box<dyn Error>> {
    if !fs::metadata(root).is_ok_and(|metadata| metadata.is_dir()) {
        let root = root.display();
        return Err(format!("{root} is not a folder: name one that exists").into());
    }
    if !force && fs::symlink_metadata(output).is_ok() {
        let output = output.display();
        return Err(format!("{output} exists: choose another name or add --force").into());
    }
    let mut packed = Packed::default();

    let start = Instant::now();
    let found = find(root, output, skip, &mut packed.problems);
    let files = found.iter().filter(|found| found.metadata.is_file());
    let size = files.map(|found| found.metadata.len()).sum();
    let of = |wanted: fn(&Metadata) -> bool| {
        found.iter().filter(|found| wanted(&found.metadata)).count() as u64
    };
    let mut what = show::count(of(Metadata::is_file), "file");
    for (n, noun) in [
        (of(Metadata::is_dir), "folder"),
        (of(Metadata::is_symlink), "link"),
    ] {
        if n > 0 {
            what = format!("{what}, {}", show::count(n, noun));
        }
    }
    show::found(&what, size, start.elapsed());

    // The database is made in a folder beside its final place, so that moving it is one step
    // and nothing is left if anything fails.
    let parent = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)
        .and_then(|()| {
            tempfile::Builder::new()
                .prefix(".archive-")
                .tempdir_in(parent)
        })
        .map_err(|error| format!("can't write to the folder {}: {error}", parent.display()))
        .and_then(|workshop| {
            let making = workshop.path().join("archive.lsm");
            write(&making, &found, codec, size, &mut packed)
                .and_then(|()| finish(&making, output, force))
                .map_err(|error| format!("{} wasn't made: {error}", output.display()))
        })?;
    packed.archive_bytes = fs::metadata(output)?.len();
    Ok(packed)
}

/// Something below the root.
struct Found {
    path: PathBuf,
    /// Its path as it is stored.
    name: Vec<u8>,
    metadata: Metadata,
}

/// Everything below `root`, in the order of the stored paths.
fn find(root: &Path, output: &Path, skip: &[OsString], problems: &mut Vec<String>) -> Vec<Found> {
    let wanted = |entry: &walkdir::DirEntry| {
        let skipped = skip.iter().any(|name| name == entry.file_name());
        entry.depth() == 0 || !(skipped && entry.file_type().is_dir())
    };
    let output = fs::canonicalize(output).ok();
    let mut all = Vec::new();
    for entry in WalkDir::new(root).into_iter().filter_entry(wanted) {
        let entry = match entry {
            Ok(entry) if entry.depth() == 0 => continue,
            Ok(entry) => entry,
            Err(error) => {
                problems.push(format!("can't read a folder: {error}"));
                continue;
            }
        };
        let shown = entry.path().display().to_string();
        let name = entry.path().strip_prefix(root).ok();
        let Some(name) = name.and_then(layout::from_path) else {
            problems.push(format!("{shown}: its name can't be stored"));
            continue;
        };
        let kind = entry.file_type();
        if !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            problems.push(format!("{shown}: neither file, folder nor link"));
            continue;
        }
        // An archive that is replaced doesn't contain itself.
        if output.is_some() && kind.is_file() && fs::canonicalize(entry.path()).ok() == output {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => all.push(Found {
                path: entry.into_path(),
                name,
                metadata,
            }),
            Err(error) => problems.push(format!("{shown}: {error}")),
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Writes all records and compacts the database.
fn write(
    making: &Path,
    found: &[Found],
    codec: Compression,
    size: u64,
    packed: &mut Packed,
) -> Result<(), Box<dyn Error>> {
    let mut db = LsmDb::builder()
        .compression(codec)
        // Large pages compress better; an archive is read in long runs.
        .page_size_bytes(64 * 1024)
        // A file consists of whole blocks, so small ones make it smaller.
        .block_size_kib(1024)
        // Merging is left to the compaction, which has to touch everything anyway.
        .automerge_segments(32)
        // A crash leaves nothing worth recovering.
        .use_log(false)
        .background(BackgroundMode::MergerAndCheckpointer)
        .open(making)?;

    let progress = Progress::of_bytes("pack", size);
    let mut digest = blake3::Hasher::new();
    let mut entries = 0;
    let mut buffer = vec![0; CHUNK];
    for (number, found) in (0u32..).zip(found) {
        let kind = match kind(&mut db, number, found, &mut buffer, &progress)? {
            Ok(kind) => kind,
            Err(error) => {
                let shown = found.path.display();
                packed.problems.push(format!("{shown}: {error}"));
                continue;
            }
        };
        if let Kind::File { size, .. } = kind {
            packed.files += 1;
            packed.bytes += size;
        }
        let entry = Entry {
            path: found.name.clone(),
            mode: mode(&found.metadata),
            modified_ns: modified_ns(&found.metadata),
            kind,
        };
        let (key, value) = (layout::entry_key(&entry.path), entry.encode());
        db.insert(&key, &value)?;
        layout::add_to_digest(&mut digest, &key, &value);
        entries += 1;
    }
    let header = Header {
        entries,
        digest: digest.finalize().into(),
    };
    db.insert(layout::HEADER_KEY, header.encode())?;
    let what = show::count(packed.files, "file");
    show::stage("pack", &what, packed.bytes, progress.finish());

    let progress = Progress::of_time("compact");
    db.compact()?;
    db.close()?;
    let what = format!("into {}", show::bytes(fs::metadata(making)?.len()));
    show::stage("compact", &what, packed.bytes, progress.finish());
    Ok(())
}

/// What an entry is; stores the content of a file. The outer error ends everything, the inner
/// one is the file's.
fn kind(
    db: &mut LsmDb,
    number: u32,
    found: &Found,
    buffer: &mut [u8],
    progress: &Progress,
) -> Result<io::Result<Kind>, Box<dyn Error>> {
    if found.metadata.is_dir() {
        return Ok(Ok(Kind::Folder));
    }
    if found.metadata.is_symlink() {
        let target = fs::read_link(&found.path).and_then(|target| {
            let bytes = layout::name_bytes(target.as_os_str()).map(<[u8]>::to_vec);
            bytes.ok_or_else(|| io::Error::other("where it points to can't be stored"))
        });
        return Ok(target.map(|target| Kind::Link { target }));
    }
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    let mut chunk = 0;
    let outcome = File::open(&found.path).and_then(|mut file| {
        loop {
            let n = fill(&mut file, buffer)?;
            if n == 0 {
                return Ok(Ok(()));
            }
            hasher.update(&buffer[..n]);
            if let Err(error) = db.insert(layout::chunk_key(number, chunk), &buffer[..n]) {
                return Ok(Err(error));
            }
            chunk += 1;
            size += n as u64;
            progress.advance(n as u64);
        }
    });
    match outcome {
        Ok(stored) => {
            stored?;
            let hash = hasher.finalize().into();
            Ok(Ok(Kind::File { number, size, hash }))
        }
        Err(error) => {
            for chunk in 0..chunk {
                db.remove(layout::chunk_key(number, chunk))?;
            }
            Ok(Err(error))
        }
    }
}

/// Reads until the buffer is full or the file ends.
pub fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match file.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}

/// Moves the finished archive to its place and makes the name durable.
fn finish(making: &Path, output: &Path, force: bool) -> Result<(), Box<dyn Error>> {
    let making = tempfile::TempPath::try_from_path(making)?;
    if force {
        making.persist(output)?;
    } else {
        making.persist_noclobber(output)?;
    }
    if let Some(parent) = output
        .parent()
        .filter(|parent| cfg!(unix) && parent.is_dir())
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o777
}
#[cfg(not(unix))]
fn mode(_metadata: &Metadata) -> u32 {
    0
}

fn modified_ns(metadata: &Metadata) -> i64 {
    let Ok(time) = metadata.modified() else {
        return 0;
    };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}
