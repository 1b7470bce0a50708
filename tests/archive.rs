//! The example `archive`, run as its users run it: packed trees come back byte for byte,
//! damage is found, and nothing is written where it shouldn't be.

#![cfg(feature = "zstd")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lsmlite_rs::LsmDb;
use tempfile::TempDir;

#[allow(dead_code, missing_docs)]
#[path = "../examples/archive/layout.rs"]
mod layout;

use layout::{Entry, Header, Kind};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The example's binary, which `cargo test` builds beside the tests.
fn binary() -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    let profile = exe.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let name = format!("archive{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(name);
    assert!(
        binary.is_file(),
        "{} is missing: `cargo test --test NAME` builds no examples; \
         run `cargo build --example archive` first",
        binary.display()
    );
    binary
}

/// Runs the example in `dir`.
fn archive<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> io::Result<Output> {
    Command::new(binary()).args(args).current_dir(dir).output()
}

fn ok(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(err, "", "a progress bar or a complaint without a terminal");
    out
}

/// What it said on stderr when it failed; that must be sentences, not a panic.
fn failed(output: &Output, status: i32) -> String {
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    assert!(!err.is_empty());
    err
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes that don't compress, always the same for a seed.
fn noise(mut seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend((z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A folder with `tree` in it: sizes around a chunk, empty things, odd names, links.
fn generated_tree() -> Result<TempDir> {
    let dir = tempfile::tempdir()?;
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join("a/b/c"))?;
    fs::create_dir_all(tree.join("empty folder"))?;
    for (name, size) in [
        ("empty", 0),
        ("one byte", 1),
        ("a/almost a chunk", layout::CHUNK - 1),
        ("a/a chunk", layout::CHUNK),
        ("a/b/more than a chunk", layout::CHUNK + 1),
        ("a/b/c/large", 4 * layout::CHUNK + 7),
        ("a.b", 10),
        ("ümlaut", 100),
    ] {
        fs::write(tree.join(name), noise(size as u64, size))?;
    }
    for n in (0..300).step_by(5) {
        let line = format!("file {n}, which compresses well\n").repeat(n);
        fs::write(tree.join(format!("a/{n:03}.txt")), line)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::{PermissionsExt, symlink};
        fs::write(tree.join(OsStr::from_bytes(b"not\xffUTF-8\n")), "odd")?;
        fs::set_permissions(tree.join("empty"), fs::Permissions::from_mode(0o444))?;
        fs::set_permissions(tree.join("a.b"), fs::Permissions::from_mode(0o750))?;
        symlink("b/c/large", tree.join("a/link"))?;
        symlink("nowhere", tree.join("dangling"))?;
    }
    Ok(dir)
}

/// Every path below `root`, with content, mode and time, in a form that can be compared.
fn contents(root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let what = if metadata.is_dir() {
            "folder".to_string()
        } else if metadata.is_symlink() {
            format!("to {:?}", fs::read_link(entry.path())?)
        } else {
            let hash = blake3::hash(&fs::read(entry.path())?);
            let permissions = metadata.permissions();
            format!("{hash} {permissions:?} {:?}", metadata.modified()?)
        };
        all.insert(entry.path().strip_prefix(root)?.to_owned(), what);
    }
    Ok(all)
}

#[test]
fn a_tree_comes_back_byte_for_byte_with_every_codec() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    let packed = contents(&dir.join("tree"))?;
    for codec in ["none", "lz4", "zlib", "zstd"] {
        if !cfg!(all(feature = "lz4", feature = "zlib")) && codec.contains('l') {
            continue;
        }
        let file = format!("{codec}.lsm");
        let out = ok(&archive(dir, &["tree", "-o", &file, "--codec", codec])?);
        assert!(out.contains("to 1"), "{out}");
        ok(&archive(dir, &["--verify", &file])?);
        ok(&archive(dir, &["--verify", &file, "tree"])?);
        ok(&archive(dir, &["--extract", &file, codec])?);
        assert_eq!(contents(&dir.join(codec))?, packed, "{codec}");
    }
    Ok(())
}

#[test]
fn the_same_tree_gives_the_same_list() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    ok(&archive(dir, &["tree"])?);
    let first = ok(&archive(dir, &["--list", "tree.lsm"])?);
    ok(&archive(dir, &["tree", "--force"])?);
    let second = ok(&archive(dir, &["--list", "tree.lsm"])?);
    assert_eq!(first, second);
    assert!(first.contains("a/b/c/large"), "{first}");
    assert!(first.contains("empty folder/"), "{first}");
    if cfg!(unix) {
        assert!(first.contains("a/link -> b/c/large"), "{first}");
        assert!(first.contains("UTF-8\\n"), "control characters: {first}");
    }
    Ok(())
}

#[test]
fn one_file_is_all_that_packing_leaves() -> Result {
    let dir = generated_tree()?;
    ok(&archive(dir.path(), &["tree", "-o", "packed.lsm"])?);
    let mut names: Vec<_> = fs::read_dir(dir.path())?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    assert_eq!(names, ["packed.lsm", "tree"]);
    Ok(())
}

#[test]
fn without_arguments_it_packs_this_repository() -> Result {
    let elsewhere = tempfile::tempdir()?;
    let out = ok(&archive::<&str>(elsewhere.path(), &[])?);
    assert!(out.contains(env!("CARGO_MANIFEST_DIR")), "{out}");
    let path = out
        .lines()
        .find(|line| line.ends_with(".lsm"))
        .ok_or("it prints where")?;
    let list = ok(&archive(elsewhere.path(), &["--list", path])?);
    assert!(list.contains(" Cargo.toml\n"), "{list}");
    assert!(!list.contains(" target/"), "{list}");
    assert!(!list.contains(" .git/"), "{list}");
    Ok(())
}

#[test]
fn a_write_protected_archive_is_read_by_several_at_once() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    ok(&archive(dir, &["tree", "-o", "t.lsm"])?);
    let mut permissions = fs::metadata(dir.join("t.lsm"))?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(dir.join("t.lsm"), permissions)?;

    // A reader that is there all the time, and two that come and go.
    let reader = LsmDb::builder().read_only(true).multi_process(true);
    let reader = reader.open(dir.join("t.lsm"))?;
    assert!(reader.contains_key(layout::HEADER_KEY)?);
    let verify = || {
        Command::new(binary())
            .args(["--verify", "t.lsm"])
            .current_dir(dir)
            .stdout(std::process::Stdio::null())
            .spawn()
    };
    let (mut one, mut other) = (verify()?, verify()?);
    assert!(one.wait()?.success() && other.wait()?.success());
    assert_eq!(
        fs::read_dir(dir)?.count(),
        2,
        "tree and t.lsm, nothing else"
    );
    Ok(())
}

#[test]
fn a_changed_byte_in_the_archive_is_found() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    ok(&archive(dir, &["tree", "-o", "t.lsm", "--codec", "none"])?);
    let mut bytes = fs::read(dir.join("t.lsm"))?;
    let needle = b"file 250, which";
    let at = bytes
        .windows(needle.len())
        .position(|bytes| bytes == needle);
    bytes[at.ok_or("plain text in the archive")?] ^= 1;
    fs::write(dir.join("t.lsm"), bytes)?;

    let err = failed(&archive(dir, &["--verify", "t.lsm"])?, 1);
    assert!(
        err.contains("a/250.txt: its content in the archive is damaged"),
        "{err}"
    );
    // The damaged file is left out, the others are written.
    let err = failed(&archive(dir, &["--extract", "t.lsm", "out"])?, 1);
    assert!(err.contains("250.txt"), "{err}");
    assert!(!dir.join("out/a/250.txt").exists());
    assert_eq!(fs::read(dir.join("out/one byte"))?, noise(1, 1));
    Ok(())
}

#[test]
fn damage_anywhere_in_a_compressed_archive_never_goes_unnoticed() -> Result {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    fs::create_dir(dir.join("tree"))?;
    fs::write(dir.join("tree/noise"), noise(1, 500_000))?;
    ok(&archive(dir, &["tree", "-o", "t.lsm"])?);
    let whole = fs::read(dir.join("t.lsm"))?;
    for part in 1..8 {
        let mut bytes = whole.clone();
        bytes[whole.len() * part / 8] ^= 0x10;
        fs::write(dir.join("t.lsm"), bytes)?;
        failed(&archive(dir, &["--verify", "t.lsm", "tree"])?, 1);
    }
    Ok(())
}

#[test]
fn a_removed_entry_is_missed() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    ok(&archive(dir, &["tree", "-o", "t.lsm"])?);
    let mut db = LsmDb::open(dir.join("t.lsm"))?;
    db.remove(layout::entry_key(b"a/250.txt"))?;
    db.close()?;
    let err = failed(&archive(dir, &["--verify", "t.lsm"])?, 1);
    assert!(err.contains("isn't the one that was packed"), "{err}");
    Ok(())
}

#[test]
fn a_changed_file_on_disk_is_found() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    ok(&archive(dir, &["tree", "-o", "t.lsm"])?);
    let verify = || archive(dir, &["--verify", "t.lsm", "tree"]);

    let longer = [noise(1, 1), vec![0]].concat();
    fs::write(dir.join("tree/one byte"), longer)?;
    let err = failed(&verify()?, 1);
    assert!(
        err.contains("one byte: the file on disk is different"),
        "{err}"
    );
    fs::write(dir.join("tree/one byte"), noise(1, 1))?;
    ok(&verify()?);

    fs::remove_file(dir.join("tree/one byte"))?;
    let err = failed(&verify()?, 1);
    assert!(err.contains("one byte: can't compare"), "{err}");
    Ok(())
}

/// An archive made by hand, of files named `paths` with the content "evil".
fn crafted(file: &Path, entries: Vec<(&[u8], Kind)>) -> Result {
    let mut db = LsmDb::open(file)?;
    let mut digest = blake3::Hasher::new();
    let header = Header {
        entries: entries.len() as u64,
        digest: [0; 32],
    };
    for (path, kind) in entries {
        if let Kind::File { number, .. } = kind {
            db.insert(layout::chunk_key(number, 0), "evil")?;
        }
        let entry = Entry {
            path: path.to_vec(),
            mode: 0o644,
            modified_ns: 0,
            kind,
        };
        let (key, value) = (layout::entry_key(path), entry.encode());
        db.insert(&key, &value)?;
        layout::add_to_digest(&mut digest, &key, &value);
    }
    let digest = digest.finalize().into();
    db.insert(layout::HEADER_KEY, Header { digest, ..header }.encode())?;
    db.close()?;
    Ok(())
}

fn evil(number: u32) -> Kind {
    Kind::File {
        number,
        size: 4,
        hash: blake3::hash(b"evil").into(),
    }
}

#[test]
fn extraction_never_leaves_the_folder() -> Result {
    let dir = tempfile::tempdir()?;
    let absolute = dir.path().join("absolute");
    let paths: Vec<&[u8]> = vec![
        b"../up",
        b"sub/../../up",
        b"./here",
        b"a//b",
        b"",
        b"..",
        b"nul\0byte",
        absolute.as_os_str().as_encoded_bytes(),
    ];
    let n = paths.len();
    let mut entries: Vec<_> = paths.into_iter().zip((1..).map(evil)).collect();
    entries.push((b"fine", evil(0)));
    crafted(&dir.path().join("t.lsm"), entries)?;

    let err = failed(
        &archive(dir.path(), &["--extract", "t.lsm", "deep/out"])?,
        1,
    );
    assert_eq!(err.matches("leads out of the folder").count(), n, "{err}");
    assert_eq!(fs::read(dir.path().join("deep/out/fine"))?, b"evil");
    let written = contents(dir.path())?;
    let written: Vec<_> = written.keys().map(|path| path.to_string_lossy()).collect();
    assert_eq!(written, ["deep", "deep/out", "deep/out/fine", "t.lsm"]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn extraction_never_goes_through_a_link() -> Result {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let outside = dir.join("outside");
    fs::create_dir(&outside)?;
    let to = |target: &[u8]| Kind::Link {
        target: target.to_vec(),
    };
    crafted(
        &dir.join("t.lsm"),
        vec![
            (b"absolute", to(outside.as_os_str().as_encoded_bytes())),
            (b"inside", to(b"sub")),
            (b"inside/file", evil(1)),
            (b"sub/climbs", to(b"../../outside")),
            (b"there/file", evil(2)),
        ],
    )?;
    // A link that lies in the folder already is no way out either.
    fs::create_dir(dir.join("out"))?;
    std::os::unix::fs::symlink(&outside, dir.join("out/there"))?;

    let err = failed(&archive(dir, &["--extract", "t.lsm", "out"])?, 1);
    assert_eq!(err.matches("the link leads out").count(), 2, "{err}");
    assert!(err.contains("there is in the way"), "{err}");
    assert_eq!(fs::read_dir(&outside)?.count(), 0);
    assert_eq!(fs::read(dir.join("out/inside/file"))?, b"evil");
    Ok(())
}

#[test]
fn nothing_is_overwritten_unless_forced() -> Result {
    let dir = generated_tree()?;
    let dir = dir.path();
    ok(&archive(dir, &["tree", "-o", "t.lsm"])?);
    let err = failed(&archive(dir, &["tree", "-o", "t.lsm"])?, 1);
    assert!(
        err.contains("t.lsm exists: choose another name or add --force"),
        "{err}"
    );
    ok(&archive(dir, &["tree", "-o", "t.lsm", "--force"])?);

    fs::create_dir(dir.join("out"))?;
    fs::write(dir.join("out/one byte"), "mine")?;
    let err = failed(&archive(dir, &["--extract", "t.lsm", "out"])?, 1);
    assert!(err.contains("one byte exists"), "{err}");
    assert_eq!(
        fs::read_dir(dir.join("out"))?.count(),
        1,
        "it wrote something"
    );
    ok(&archive(dir, &["--extract", "t.lsm", "out", "--force"])?);
    assert_eq!(contents(&dir.join("out"))?, contents(&dir.join("tree"))?);
    Ok(())
}

#[cfg(unix)]
#[test]
fn what_cannot_be_packed_is_named_and_the_rest_is_packed() -> Result {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    fs::create_dir(dir.join("tree"))?;
    fs::write(dir.join("tree/good"), "good")?;
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("tree/socket"))?;
    let err = failed(&archive(dir, &["tree", "-o", "t.lsm"])?, 1);
    assert!(
        err.contains("socket: neither file, folder nor link"),
        "{err}"
    );
    let list = ok(&archive(dir, &["--list", "t.lsm"])?);
    assert!(list.contains("good") && !list.contains("socket"), "{list}");

    use std::os::unix::fs::PermissionsExt;
    let secret = dir.join("tree/secret");
    fs::write(&secret, noise(1, 200_000))?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000))?;
    if fs::File::open(&secret).is_err() {
        // Not for root, who reads everything.
        let err = failed(&archive(dir, &["tree", "-o", "t.lsm", "--force"])?, 1);
        assert!(err.contains("secret: Permission denied"), "{err}");
    }
    Ok(())
}

#[test]
fn mistakes_are_answered_in_sentences() -> Result {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let err = failed(&archive(dir, &["--list", "no.lsm"])?, 1);
    assert_eq!(
        err,
        "archive: there is no archive at no.lsm: check the name\n"
    );
    let err = failed(&archive(dir, &["no folder"])?, 1);
    assert_eq!(
        err,
        "archive: no folder is not a folder: name one that exists\n"
    );
    let err = failed(&archive(dir, &["--list", "."])?, 1);
    assert!(err.contains(". is not an archive"), "{err}");

    fs::write(dir.join("text"), "A text of no importance. ".repeat(1000))?;
    let before = fs::read(dir.join("text"))?;
    failed(&archive(dir, &["--verify", "text"])?, 1);
    assert_eq!(fs::read(dir.join("text"))?, before);

    let mut db = LsmDb::open(dir.join("other.lsm"))?;
    db.insert("key", "value")?;
    db.close()?;
    let err = failed(&archive(dir, &["--list", "other.lsm"])?, 1);
    assert!(
        err.contains("is not an archive that this program made"),
        "{err}"
    );

    for usage in [
        &["--codec", "best"][..],
        &["--extract", "x"],
        &["a", "b"],
        &["--no"],
    ] {
        failed(&archive(dir, usage)?, 2);
    }
    assert!(ok(&archive(dir, &["--help"])?).contains("--extract"));
    Ok(())
}
