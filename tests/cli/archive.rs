//! archive pack, list, extract, verify and cat: trees that come back byte for byte, updates,
//! damage, and what may be in the way.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lsmlite_rs::archive::{Archive, Extract, Pack};

use crate::common::SplitMix64;
use crate::common::disk::SmallDisk;
use crate::run::{Done, Place, Result, finish, program};

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    SplitMix64::new(seed).bytes(bytes)
}

fn set_time(path: &Path, time: SystemTime) -> Result {
    Ok(File::open(path)?.set_modified(time)?)
}

/// A day in 2001.
fn long_ago() -> SystemTime {
    UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789)
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result {
    fs::create_dir_all(path.parent().unwrap())?;
    fs::write(path, content)?;
    set_time(path, long_ago())
}

/// Whatever may be in a folder.
fn plant(tree: &Path) -> Result {
    write(&tree.join("empty"), "")?;
    write(&tree.join("sub/a.txt"), "alike, alike, alike")?;
    write(&tree.join("sub/b.txt"), "alike, alike, and different")?;
    write(&tree.join("other/a.txt"), "alike, alike, alike")?;
    fs::hard_link(tree.join("empty"), tree.join("sub/linked"))?;
    fs::create_dir_all(tree.join("no/thing/in/it"))?;
    for (at, bytes) in [1, 262_143, 262_144, 262_145, 524_288, 1_000_000]
        .into_iter()
        .enumerate()
    {
        write(
            &tree.join(format!("large/{bytes}")),
            noise(at as u64, bytes),
        )?;
    }
    // Equal parts, and an equal file that is large.
    write(&tree.join("large/zeros"), vec![0; 700_000])?;
    write(&tree.join("large/again"), noise(5, 1_000_000))?;
    write(&tree.join(OsStr::from_bytes(b"bytes \xff\n\\ \"'")), "odd")?;
    write(&tree.join("-rf"), "a name like an option")?;
    write(
        &tree.join("large-and"),
        "before a slash in the order of bytes",
    )?;
    symlink("sub/a.txt", tree.join("link"))?;
    symlink("/no/such/place", tree.join("sub/dangling"))?;
    symlink("..", tree.join("sub/up"))?;
    let early = UNIX_EPOCH - Duration::new(86_400, 1);
    set_time(&tree.join("sub/b.txt"), early)?;
    fs::set_permissions(tree.join("sub/a.txt"), fs::Permissions::from_mode(0o400))?;
    fs::set_permissions(tree.join("other"), fs::Permissions::from_mode(0o555))?;
    fs::set_permissions(tree.join("-rf"), fs::Permissions::from_mode(0o777))?;
    set_time(&tree.join("no/thing"), early)?;
    set_time(tree, long_ago())
}

/// What is remarkable about something: kind and permissions, time, and content or target.
type Facts = (u32, (i64, i64), Vec<u8>);

fn facts(tree: &Path) -> Result<BTreeMap<PathBuf, Facts>> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(tree) {
        let entry = entry?;
        let metadata = fs::symlink_metadata(entry.path())?;
        let content = match entry.file_type() {
            kind if kind.is_symlink() => {
                fs::read_link(entry.path())?.as_os_str().as_bytes().to_vec()
            }
            kind if kind.is_file() => fs::read(entry.path())?,
            _ => Vec::new(),
        };
        let time = (metadata.mtime(), metadata.mtime_nsec());
        let path = entry.path().strip_prefix(tree)?.to_owned();
        all.insert(path, (metadata.mode(), time, content));
    }
    Ok(all)
}

fn place_with_tree() -> Result<Place> {
    let place = Place::new();
    plant(&place.path("tree"))?;
    Ok(place)
}

#[test]
fn a_tree_comes_back_byte_for_byte() -> Result {
    let place = place_with_tree()?;
    let before = facts(&place.path("tree"))?;
    for options in [
        "",
        "--page-checksums --level 1 -j 1",
        "--page-size 65536 -j 3 --level 5",
        "--page-size 256",
    ] {
        let packed = place.run(&format!("archive pack tree a.lsm {options}"));
        assert_eq!(packed.text(), "");
        assert!(packed.stderr.contains("16 files"), "{}", packed.stderr);
        assert_eq!(place.run("archive verify a.lsm").text(), "", "{options}");
        place.run("archive extract a.lsm copy").text();
        assert!(facts(&place.path("copy"))? == before, "{options}");
        for (path, (mode, _, content)) in &before {
            if mode & 0o170_000 == 0o100_000 {
                let mut cat = program();
                cat.args(["archive", "cat", "a.lsm", "--"]).arg(path);
                let printed = finish(cat.current_dir(place.folder.path()), b"");
                assert!(printed.stdout == *content, "{path:?}: {}", printed.stderr);
            }
        }
        assert_eq!(place.files(), ["a.lsm", "copy", "tree"]);
        fs::remove_dir_all(place.path("copy"))?;
        fs::remove_file(place.path("a.lsm"))?;
    }
    Ok(())
}

#[test]
fn the_same_tree_gives_the_same_archive_with_any_number_of_threads() -> Result {
    let place = place_with_tree()?;
    for at in 0..400_u64 {
        let content = noise(at, 8000);
        write(
            &place.path(&format!("tree/many/{at}")),
            &content[..(at * 20) as usize],
        )?;
        write(
            &place.path(&format!("tree/twice/{at}")),
            &content[..(at * 20) as usize],
        )?;
    }
    for threads in ["1", "2", "7"] {
        place
            .run(&format!("archive pack tree {threads}.lsm -j {threads}"))
            .text();
    }
    let one = fs::read(place.path("1.lsm"))?;
    assert!(one == fs::read(place.path("2.lsm"))? && one == fs::read(place.path("7.lsm"))?);
    // What is there twice is stored once.
    let bytes: u64 = (0..400).map(|at| at * 20).sum::<u64>() + 4_000_000;
    assert!((one.len() as u64) < bytes, "{} {bytes}", one.len());
    Ok(())
}

#[test]
fn lists_look_like_this() -> Result {
    let place = Place::new();
    let tree = place.path("tree");
    write(&tree.join("sub/a.txt"), "content")?;
    write(&tree.join(OsStr::from_bytes(b"x\xff,\t")), "")?;
    symlink("sub/a.txt", tree.join("link"))?;
    for (path, mode) in [("sub/a.txt", 0o4640), ("sub", 0o1777), ("", 0o750)] {
        fs::set_permissions(tree.join(path), fs::Permissions::from_mode(mode))?;
        set_time(&tree.join(path), long_ago())?;
    }
    fs::set_permissions(
        tree.join(OsStr::from_bytes(b"x\xff,\t")),
        fs::Permissions::from_mode(0o600),
    )?;
    place.run("archive pack tree a.lsm").text();
    let list = |format: &str| {
        let listed = place.run(&format!("archive list a.lsm --format {format}"));
        // The time of a link is that of its making, and its permissions are the system's.
        let lines = listed.text().lines().filter(|line| !line.contains("link"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(list("text"), include_str!("archive/list.txt"));
    assert_eq!(list("json"), include_str!("archive/list.json"));
    assert_eq!(list("csv"), include_str!("archive/list.csv"));
    let links = place.run("archive list a.lsm");
    assert!(
        links.text().contains(" link -> sub/a.txt\n"),
        "{}",
        links.text()
    );
    Ok(())
}

fn files_read(done: &Done) -> u64 {
    done.text();
    let line = done
        .stderr
        .lines()
        .find(|line| line.ends_with(" files were read"));
    line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_update_reads_what_is_new_and_forgets_what_is_gone() -> Result {
    let place = place_with_tree()?;
    let update = |place: &Place, more: &str| {
        files_read(&place.run(&format!("archive pack tree a.lsm --update {more}")))
    };
    assert_eq!(update(&place, ""), 16);
    assert_eq!(update(&place, ""), 0);
    place.run("archive verify a.lsm").text();

    fs::remove_file(place.path("tree/sub/b.txt"))?;
    fs::remove_dir_all(place.path("tree/no"))?;
    fs::rename(
        place.path("tree/large/zeros"),
        place.path("tree/large/nothing"),
    )?;
    write(
        &place.path("tree/new.txt"),
        "new, and so is this: alike, alike, alike",
    )?;
    write(&place.path("tree/same.txt"), "alike, alike, alike")?;
    fs::set_permissions(place.path("tree/-rf"), fs::Permissions::from_mode(0o700))?;
    assert_eq!(update(&place, ""), 3);

    // What doesn't show isn't seen, unless everything is read.
    write(&place.path("tree/sub/a.txt"), "ALIKE, alike, alike")?;
    assert_eq!(update(&place, ""), 0);
    let old = place.run("archive cat a.lsm sub/a.txt");
    assert_eq!(old.text(), "alike, alike, alike");
    assert_eq!(update(&place, "--reread"), 17);

    // A file that was changed at the time of packing is read again the next time.
    fs::write(place.path("tree/fresh"), "fresh")?;
    assert_eq!(update(&place, ""), 1);
    assert_eq!(update(&place, ""), 1);

    place.run("archive pack tree whole.lsm").text();
    let list = |name| {
        place
            .run(&format!("archive list {name} -f json"))
            .text()
            .to_owned()
    };
    assert_eq!(list("a.lsm"), list("whole.lsm"));
    place.run("archive verify a.lsm").text();
    place.run("archive extract a.lsm copy").text();
    assert!(facts(&place.path("copy"))? == facts(&place.path("tree"))?);
    let bytes = |name: &str| fs::metadata(place.path(name)).unwrap().len();
    assert!(bytes("a.lsm") <= bytes("whole.lsm") + 64 * 1024);
    Ok(())
}

/// Random changes of a tree, each followed by an update, which must leave the archive that a new
/// packing would have made, and no group that nobody uses.
#[test]
fn updates_never_differ_from_packing_anew() -> Result {
    let place = Place::new();
    let tree = place.path("tree");
    let mut random = SplitMix64::new(7);
    let mut second = 0;
    for round in 0..5 {
        for _ in 0..10 {
            let path = tree.join(format!("{}/{}", random.below(3), random.below(8)));
            if random.one_in(4) && path.exists() {
                fs::remove_file(path)?;
                continue;
            }
            let size = random.pick(&[0, 10, 1000, 5000, 20_000, 262_144, 270_000]) as usize;
            let mut content = noise(random.below(5), size);
            if random.one_in(2) {
                content.fill(7);
            }
            write(&path, content)?;
            second += 1;
            set_time(&path, long_ago() + Duration::from_secs(second))?;
        }
        Pack::new(&tree)
            .update(true)
            .threads(3)
            .run(place.path("a.lsm"))?;
        Pack::new(&tree)
            .overwrite(true)
            .run(place.path("new.lsm"))?;
        let updated = Archive::open(place.path("a.lsm"))?;
        let anew = Archive::open(place.path("new.lsm"))?;
        assert_eq!(updated.summary().files, anew.summary().files);
        assert_eq!(updated.summary().bytes, anew.summary().bytes);
        let check = lsmlite_rs::archive::Verify::new(&updated).run()?;
        assert!(check.is_sound(), "{round}: {check}");
        let copy = place.path("copy");
        Extract::new(&updated).sync(false).run(&copy)?;
        assert!(facts(&copy)? == facts(&tree)?, "{round}");
        fs::remove_dir_all(copy)?;
        // Content that is gone is gone. Parts of large files may be there twice.
        let (ours, theirs) = (updated.summary().unique_bytes, anew.summary().unique_bytes);
        assert!(
            ours >= theirs && ours <= updated.summary().bytes,
            "{round}: {ours} {theirs}"
        );
    }
    Ok(())
}

#[test]
fn a_damaged_member_is_named_and_the_others_are_saved() -> Result {
    let place = place_with_tree()?;
    place.run("archive pack tree a.lsm").text();
    let mut bytes = fs::read(place.path("a.lsm"))?;
    let needle = &noise(5, 1_000_000)[300_000..300_064];
    let at = bytes
        .windows(64)
        .position(|window| window == needle)
        .unwrap();
    bytes[at] ^= 1;
    fs::write(place.path("a.lsm"), &bytes)?;

    let checked = place.run("archive verify a.lsm");
    checked.fails(3, &["2 of its files are lost", "--keep-going"]);
    let lines: Vec<_> = std::str::from_utf8(&checked.stdout)?.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("large/1000000: ") && lines[1].starts_with("large/again: "));
    place
        .run("archive cat a.lsm large/again")
        .fails(3, &["large/again"]);
    assert_eq!(
        place.run("archive cat a.lsm sub/a.txt").text(),
        "alike, alike, alike"
    );

    place
        .run("archive extract a.lsm copy")
        .fails(3, &["large/"]);
    assert_eq!(place.files(), ["a.lsm", "tree"]);
    let saved = place.run("archive extract a.lsm copy --keep-going");
    assert_eq!(saved.status, 3);
    let mut expected = facts(&place.path("tree"))?;
    expected.remove(Path::new("large/1000000"));
    expected.remove(Path::new("large/again"));
    assert!(facts(&place.path("copy"))? == expected);
    Ok(())
}

/// Nothing that is damaged passes for sound, and nothing crashes. Bytes that no page uses may
/// change.
#[test]
fn no_damage_goes_unseen() -> Result {
    let place = place_with_tree()?;
    fs::remove_dir_all(place.path("tree/large"))?;
    place.run("archive pack tree a.lsm").text();
    let whole = fs::read(place.path("a.lsm"))?;
    let expected = facts(&place.path("tree"))?;
    let mut random = SplitMix64::new(11);
    let (mut refused, mut unchanged) = (0, 0);
    for round in 0..300 {
        let mut bytes = whole.clone();
        let used: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
        bytes[random.pick(&used)] ^= 1 << random.below(8);
        let file = place.path("damaged.lsm");
        fs::write(&file, bytes)?;
        let copy = place.path("copy");
        let opened = Archive::open(&file);
        let is_sound = opened.as_ref().is_ok_and(|archive| {
            lsmlite_rs::archive::Verify::new(archive)
                .run()
                .is_ok_and(|check| check.is_sound())
        });
        match opened.and_then(|archive| Extract::new(&archive).sync(false).run(&copy)) {
            Ok(_) => {
                assert!(facts(&copy)? == expected, "{round}");
                fs::remove_dir_all(copy)?;
                unchanged += 1;
            }
            Err(error) => {
                assert!(!is_sound, "{round}: {error}");
                assert!(!copy.exists());
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {unchanged} extracted and equal");
    assert!(refused > 100, "{refused}");
    assert_eq!(place.files(), ["a.lsm", "damaged.lsm", "tree"]);
    Ok(())
}

#[test]
fn what_is_in_the_way_is_named() -> Result {
    let place = place_with_tree()?;
    place.run("archive pack tree a.lsm").text();
    place.run("put other.lsm key value").text();
    fs::write(place.path("text.txt"), "x".repeat(100_000))?;
    fs::create_dir(place.path("full"))?;
    fs::write(place.path("full/file"), "")?;
    let before = place.files();

    for command in ["list", "verify"] {
        place
            .run(&format!("archive {command} none.lsm"))
            .fails(5, &["none.lsm"]);
        place
            .run(&format!("archive {command} text.txt"))
            .fails(4, &["text.txt"]);
        place
            .run(&format!("archive {command} other.lsm"))
            .fails(4, &["other.lsm", "archive"]);
    }
    place
        .run("archive extract none.lsm copy")
        .fails(5, &["none.lsm"]);
    place
        .run("archive extract a.lsm full")
        .fails(9, &["full", "overwritten"]);
    place
        .run("archive extract a.lsm text.txt")
        .fails(9, &["text.txt"]);
    place
        .run("archive extract a.lsm no/where")
        .fails(5, &["no"]);
    place
        .run("archive extract a.lsm copy nothing")
        .fails(1, &["nothing", "`list`"]);
    place.run("archive pack none b.lsm").fails(5, &["none"]);
    place
        .run("archive pack text.txt b.lsm")
        .fails(10, &["text.txt"]);
    place.run("archive pack tree a.lsm").fails(9, &["--update"]);
    place
        .run("archive pack tree text.txt")
        .fails(9, &["text.txt"]);
    place
        .run("archive pack tree other.lsm --update")
        .fails(4, &["other.lsm"]);
    place
        .run("archive pack tree no/where.lsm")
        .fails(5, &["no"]);
    assert_eq!(place.run("archive pack tree b.lsm --level 23").status, 2);
    place.run("archive cat a.lsm none").fails(1, &["none"]);
    place.run("archive cat a.lsm sub").fails(1, &["sub"]);
    assert_eq!(place.files(), before);
    Ok(())
}

#[test]
fn only_the_named_members_are_extracted() -> Result {
    let place = place_with_tree()?;
    place.run("archive pack tree a.lsm").text();
    fs::create_dir(place.path("copy"))?;
    place
        .run("archive extract a.lsm copy ./sub/ large/1")
        .text();
    let mut expected = facts(&place.path("tree"))?;
    expected.retain(|path, _| {
        let wanted = ["", "sub", "large", "large/1"].map(Path::new);
        wanted.contains(&path.as_path()) || path.starts_with("sub")
    });
    assert!(facts(&place.path("copy"))? == expected);
    Ok(())
}

#[test]
fn a_folder_that_isnt_empty_is_filled_and_no_link_in_it_followed() -> Result {
    let place = place_with_tree()?;
    place.run("archive pack tree a.lsm").text();
    let (copy, outside) = (place.path("copy"), place.path("outside"));
    fs::create_dir(&outside)?;
    write(&outside.join("a.txt"), "not to be touched")?;
    write(&copy.join("sub/mine"), "stays")?;
    symlink(outside.join("a.txt"), copy.join("sub/a.txt"))?;
    write(&copy.join("empty"), "is replaced")?;
    place.run("archive extract a.lsm copy --overwrite").text();
    let mut expected = facts(&place.path("tree"))?;
    let mut found = facts(&copy)?;
    assert_eq!(found.remove(Path::new("sub/mine")).unwrap().2, b"stays");
    expected.remove(Path::new(""));
    found.remove(Path::new(""));
    assert!(found == expected);

    // A link where a folder is to be.
    fs::remove_dir_all(copy.join("sub"))?;
    symlink(&outside, copy.join("sub"))?;
    let before = facts(&copy)?;
    place
        .run("archive extract a.lsm copy --overwrite")
        .fails(9, &["copy/sub"]);
    assert!(facts(&copy)?.keys().eq(before.keys()));
    assert_eq!(fs::read(outside.join("a.txt"))?, b"not to be touched");
    assert_eq!(fs::read_dir(&outside)?.count(), 1);
    Ok(())
}

/// As somebody who isn't root, who may do everything.
fn run_as_nobody(place: &Place, arguments: &str) -> Done {
    let mut command = program();
    command
        .args(arguments.split(' '))
        .current_dir(place.folder.path());
    // Tests that don't run as root are nobody in particular already.
    if fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0) {
        command.uid(65_534);
    }
    finish(&mut command, b"")
}

#[test]
fn files_without_permission_are_left_out_and_named() -> Result {
    let place = Place::new();
    write(&place.path("tree/readable"), "yes")?;
    write(&place.path("tree/secret"), "no")?;
    write(&place.path("tree/closed/file"), "no")?;
    fs::set_permissions(place.path("tree/secret"), fs::Permissions::from_mode(0o000))?;
    fs::set_permissions(place.path("tree/closed"), fs::Permissions::from_mode(0o000))?;
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o777))?;
    let packed = run_as_nobody(&place, "archive pack tree a.lsm");
    assert_eq!(packed.status, 10, "{}", packed.stderr);
    for named in ["tree/secret", "tree/closed", "2 files or folders"] {
        assert!(packed.stderr.contains(named), "{}", packed.stderr);
    }
    assert_eq!(
        run_as_nobody(&place, "archive cat a.lsm readable").text(),
        "yes"
    );
    run_as_nobody(&place, "archive cat a.lsm secret").fails(1, &["secret"]);

    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o555))?;
    run_as_nobody(&place, "archive extract a.lsm copy").fails(6, &["permission"]);
    let refused = run_as_nobody(&place, "archive pack tree b.lsm");
    refused.fails(6, &["permission"]);
    fs::set_permissions(place.path("a.lsm"), fs::Permissions::from_mode(0o000))?;
    run_as_nobody(&place, "archive list a.lsm").fails(6, &["a.lsm"]);
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o700))?;
    fs::set_permissions(place.path("tree/closed"), fs::Permissions::from_mode(0o700))?;
    assert_eq!(place.files(), ["a.lsm", "tree"]);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_what_was_there() -> Result {
    SmallDisk::with("archive::a_full_disk_leaves_what_was_there", 4096, |disk| {
        let place = place_with_tree()?;
        let on_disk = |arguments: String| finish(program().args(arguments.split(' ')), b"");
        let (tree, small) = (place.path("tree"), disk.path("a.lsm"));
        let (tree, small) = (tree.display(), small.display());
        on_disk(format!("archive pack {tree}/sub {small}")).text();
        let before = fs::read(disk.path("a.lsm"))?;
        // Too little for either.
        disk.keep_free(3200)?;
        let packed = on_disk(format!("archive pack {tree} {small} --update"));
        packed.fails(10, &["a.lsm", "free space"]);
        assert_eq!(fs::read(disk.path("a.lsm"))?, before);

        place.run("archive pack tree a.lsm").text();
        let whole = place.path("a.lsm");
        let copy = disk.path("copy");
        let extracted = on_disk(format!(
            "archive extract {} {}",
            whole.display(),
            copy.display()
        ));
        extracted.fails(10, &["free space"]);
        let left: Vec<_> = fs::read_dir(disk.root())?
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), 2, "{left:?}");
        Ok(())
    })
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() -> Result {
    let place = place_with_tree()?;
    place.run("archive pack tree a.lsm").text();
    for at in 0..2000 {
        write(
            &place.path(&format!("many/a file with a name of some length {at}")),
            "",
        )?;
    }
    place.run("archive pack many many.lsm").text();
    for arguments in ["cat a.lsm large/1000000", "list many.lsm"] {
        let mut command = program();
        command
            .arg("archive")
            .args(arguments.split(' '))
            .current_dir(place.folder.path());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10])?;
        drop(stdout);
        let output = child.wait_with_output()?;
        assert_eq!(output.status.code(), Some(141), "{arguments}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    Ok(())
}

/// Each draft that is there while the program works.
fn drafts(place: &Place) -> Vec<String> {
    place
        .files()
        .into_iter()
        .filter(|name| name.contains("lsmlite-"))
        .collect()
}

#[test]
fn ctrl_c_leaves_nothing_and_a_kill_only_what_the_next_call_removes() -> Result {
    let place = Place::new();
    for at in 0..15 {
        write(&place.path(&format!("tree/{at}")), noise(at, 400_000))?;
    }
    Pack::new(place.path("tree"))
        .zstd_level(1)
        .run(place.path("whole.lsm"))?;
    // One thread, and much work: slow enough to be interrupted.
    let pack = "archive pack tree a.lsm --level 19 -j 1";
    let extract = "archive extract whole.lsm copy -j 1";
    for (arguments, signal) in [(pack, 2), (pack, 9), (pack, 15), (extract, 2), (extract, 9)] {
        let is_caught = (0..50).any(|_| is_caught_in_the_middle(&place, arguments, signal));
        assert!(is_caught, "{arguments} can't be caught with {signal}");
        // What a killed one has left is removed by the next one.
        assert_eq!(
            drafts(&place).len(),
            usize::from(signal == 9),
            "{arguments} {signal}"
        );
        place.run("archive pack tree a.lsm --level 1").text();
        place.run("archive extract a.lsm copy").text();
        assert_eq!(place.files(), ["a.lsm", "copy", "tree", "whole.lsm"]);
        fs::remove_file(place.path("a.lsm"))?;
        fs::remove_dir_all(place.path("copy"))?;
    }
    Ok(())
}

/// Sends a signal as soon as there is a draft. False if the program was faster.
fn is_caught_in_the_middle(place: &Place, arguments: &str, signal: i32) -> bool {
    let mut command = program();
    command
        .args(arguments.split(' '))
        .current_dir(place.folder.path());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    while drafts(place).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: it takes numbers only; the child isn't waited for yet, so the id is its own.
    #[allow(unsafe_code)]
    unsafe {
        libc::kill(pid, signal);
    }
    let output = child.wait_with_output().unwrap();
    let is_done = place.path("a.lsm").exists() || place.path("copy").exists();
    let _ = fs::remove_file(place.path("a.lsm"));
    let _ = fs::remove_dir_all(place.path("copy"));
    if !is_done && signal != 9 {
        assert_eq!(output.status.code(), Some(128 + signal), "{output:?}");
    }
    !is_done
}

#[test]
fn an_archive_isnt_packed_into_itself_and_pipes_are_left_out() -> Result {
    let place = Place::new();
    write(&place.path("tree/file"), "content")?;
    let pipe = std::process::Command::new("mkfifo")
        .arg(place.path("tree/pipe"))
        .status()?;
    assert!(pipe.success());
    place.run("archive pack tree tree/a.lsm").text();
    let again = place.run("archive pack tree tree/a.lsm --update");
    assert!(
        again.stderr.contains("tree/pipe is left out"),
        "{}",
        again.stderr
    );
    let list = place.run("archive list tree/a.lsm");
    assert_eq!(list.text().lines().count(), 2, "{}", list.text());
    let mode = fs::metadata(place.path("tree/a.lsm"))?.mode();
    let usual = fs::metadata(place.path("tree/file"))?.mode();
    assert_eq!(mode, usual);
    Ok(())
}
