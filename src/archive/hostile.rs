//! Archives that nobody packed: extracting them writes nothing anywhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::entry::{Content, Entry, Piece, Stamp};
use super::format::{self, HEADER_KEY, Header, add_to_digest, group_key};
use super::index::Block;
use super::{Archive, ArchiveError, Extract, Verify};
use crate::db::LsmDb;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn entry(path: &str, content: Content) -> Entry {
    Entry {
        path: path.as_bytes().to_vec(),
        mode: 0o755,
        modified: Stamp::default(),
        is_fresh: false,
        content,
    }
}

fn folder(path: &str) -> Entry {
    entry(path, Content::Folder)
}

fn link(path: &str, target: &str) -> Entry {
    let target = target.as_bytes().to_vec();
    entry(path, Content::Link { target })
}

/// What is in group 0 of each archive.
const CONTENT: &[u8] = b"written by an archive";

fn file(path: &str, pieces: &[(u32, u32, u32)]) -> Entry {
    let pieces = pieces.iter().map(|&(group, offset, bytes)| Piece {
        group,
        offset,
        bytes,
    });
    let pieces: Vec<Piece> = pieces.collect();
    let content = Content::File {
        size: pieces.iter().map(|piece| u64::from(piece.bytes)).sum(),
        hash: *blake3::hash(CONTENT).as_bytes(),
        pieces,
    };
    entry(path, content)
}

fn sound(path: &str) -> Entry {
    file(path, &[(0, 0, CONTENT.len() as u32)])
}

/// An archive of these entries, each in a block of its own, whose header is right.
fn write(path: &Path, entries: &[Entry]) -> Result {
    let mut compressor = zstd::bulk::Compressor::new(3)?;
    let group = format::pack(CONTENT, &mut compressor)?;
    let mut records = vec![(group_key(0).to_vec(), group)];
    let mut header = Header {
        groups: 1,
        ..Header::default()
    };
    let mut digest = blake3::Hasher::new();
    for entry in entries {
        let mut block = Block::default();
        block.add(entry);
        let (key, value) = block.finish(&mut compressor)?;
        add_to_digest(&mut digest, &key, &value);
        header.count(entry);
        records.push((key, value));
    }
    header.digest = digest.finalize().into();
    records.push((HEADER_KEY.to_vec(), header.encode()));
    let mut db = LsmDb::open(path)?;
    db.ingest(records)?;
    Ok(db.close()?)
}

/// Everything in a folder, and what it is.
fn all(folder: &Path) -> Vec<(PathBuf, bool)> {
    let entries = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .flatten();
    entries
        .map(|entry| (entry.path().to_owned(), entry.file_type().is_dir()))
        .collect()
}

#[test]
fn hostile_archives_write_nothing() -> Result {
    let hostile = [
        vec![folder(""), sound("../escaped")],
        vec![folder(""), folder(".."), sound("../escaped")],
        vec![folder(""), sound("/tmp/escaped")],
        vec![
            folder(""),
            folder("a"),
            folder("a/.."),
            folder("a/../.."),
            sound("a/../../escaped"),
        ],
        vec![folder(""), link("a", "../outside"), sound("a/escaped")],
        vec![
            folder(""),
            link("a", "/"),
            folder("a/tmp"),
            sound("a/tmp/escaped"),
        ],
        vec![folder(""), sound("a"), sound("a/escaped")],
        vec![folder(""), sound("a/escaped")],
        vec![folder(""), sound(".")],
        vec![folder(""), sound("nul\0byte")],
        vec![folder(""), link("empty", "")],
        vec![link("", "../outside")],
        vec![sound("")],
        vec![sound("rootless")],
        vec![],
        // Contents that aren't there.
        vec![folder(""), file("a", &[(1, 0, 5)])],
        vec![folder(""), file("a", &[(0, 0, 1000)])],
        vec![folder(""), file("a", &[(0, 1, CONTENT.len() as u32)])],
        vec![folder(""), file("a", &[(0, u32::MAX, 0), (0, 7, 1)])],
        // Another content than the hash says, in one piece and in two.
        vec![folder(""), file("a", &[(0, 0, 5)])],
        vec![folder(""), file("a", &[(0, 0, 5), (0, 0, 5)])],
        vec![folder(""), file("a", &[])],
    ];
    for (number, entries) in hostile.iter().enumerate() {
        let dir = tempfile::tempdir()?;
        let (path, inside) = (dir.path().join("a.lsm"), dir.path().join("inside"));
        fs::create_dir(&inside)?;
        fs::create_dir(dir.path().join("outside"))?;
        fs::write(inside.join("mine"), "")?;
        write(&path, entries)?;
        let archive = Archive::open(&path)?;
        let before = all(dir.path());
        let new = Extract::new(&archive).run(dir.path().join("new"));
        let merged = Extract::new(&archive).overwrite(true).run(&inside);
        for outcome in [new, merged] {
            assert!(
                matches!(outcome, Err(ArchiveError::Damaged { .. })),
                "{number}: {outcome:?}"
            );
        }
        assert_eq!(all(dir.path()), before, "{number}");
    }
    assert!(!Path::new("/tmp/escaped").exists());
    Ok(())
}

#[test]
fn what_makes_those_hostile_is_all_that_does() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let end = CONTENT.len() as u32 - 5;
    let entries = [
        folder(""),
        sound("..."),
        sound("..a"),
        folder("a"),
        link("a/b", "../../outside"),
        file("a/c", &[(0, 0, 5), (0, 5, end)]),
        link("d", "/"),
    ];
    write(&path, &entries)?;
    let archive = Archive::open(&path)?;
    assert!(Verify::new(&archive).run()?.is_sound());
    let new = dir.path().join("new");
    let report = Extract::new(&archive).run(&new)?;
    assert_eq!((report.files, report.folders, report.links), (3, 1, 2));
    assert_eq!(fs::read(new.join("a/c"))?, CONTENT);
    assert_eq!(fs::read_link(new.join("d"))?, Path::new("/"));
    Ok(())
}

/// Whoever may write there could put a link where a folder of the archive is to be.
#[test]
fn links_in_the_target_are_in_the_way() -> Result {
    let dir = tempfile::tempdir()?;
    let (path, target) = (dir.path().join("a.lsm"), dir.path().join("target"));
    fs::create_dir(dir.path().join("outside"))?;
    fs::create_dir(&target)?;
    symlink(dir.path().join("outside"), target.join("a"))?;
    write(&path, &[folder(""), folder("a"), sound("a/b")])?;
    let outcome = Extract::new(&Archive::open(&path)?)
        .overwrite(true)
        .run(&target);
    assert!(
        matches!(outcome, Err(ArchiveError::InTheWay { .. })),
        "{outcome:?}"
    );
    assert_eq!(fs::read_dir(dir.path().join("outside"))?.count(), 0);
    assert_eq!(fs::read_dir(&target)?.count(), 1);
    Ok(())
}

#[test]
fn an_index_that_isnt_the_headers_is_refused() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    write(&path, &[folder(""), sound("a")])?;
    let mut block = Block::default();
    block.add(&sound("b"));
    let (key, value) = block.finish(&mut zstd::bulk::Compressor::new(3)?)?;
    let mut db = LsmDb::open(&path)?;
    db.insert(key, value)?;
    db.close()?;
    let archive = Archive::open(&path)?;
    let check = Verify::new(&archive).run()?;
    assert!(
        !check.is_sound() && check.problems[0].member.is_none(),
        "{check}"
    );
    let outcome = Extract::new(&archive).run(dir.path().join("new"));
    assert!(
        matches!(outcome, Err(ArchiveError::Damaged { .. })),
        "{outcome:?}"
    );
    Ok(())
}
