//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};
use lsmlite_rs::compression::Compression;

/// What to do.
pub enum Task {
    /// Make an archive, and check it.
    Pack {
        /// The folder; without one, this repository.
        folder: Option<PathBuf>,
        output: Option<PathBuf>,
        codec: Compression,
        /// Names of folders to leave out.
        skip: Vec<OsString>,
        force: bool,
    },
    List {
        archive: PathBuf,
    },
    Verify {
        archive: PathBuf,
        /// Compare with these files, too.
        folder: Option<PathBuf>,
    },
    Extract {
        archive: PathBuf,
        folder: PathBuf,
        force: bool,
    },
}

const USAGE: &str = "archive [DIR] [-o FILE] [--codec CODEC] [--skip NAME]... [--force]
       archive --list FILE
       archive --verify FILE [DIR]
       archive --extract FILE DIR [--force]";

const AFTER: &str = "Without arguments it packs this repository, without target and .git, \
into the build folder.\nExit status: 0 if all went well, 1 if not, 2 for bad usage.";

/// Reads the command line; prints the help, or what is wrong, and exits if there is no task.
pub fn parse() -> Task {
    let path = || value_parser!(PathBuf);
    let command = Command::new("archive")
        .about("Packs a folder into one compressed, read-only database file, and back.")
        .override_usage(USAGE)
        .after_help(AFTER)
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .value_parser(path())
                .help("Folder to pack"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .value_parser(path())
                .help("Archive to write [default: the folder's name with .lsm]"),
        )
        .arg(
            Arg::new("codec")
                .long("codec")
                .value_name("CODEC")
                .value_parser(["none", "lz4", "zlib", "zstd"])
                .default_value("zstd")
                .help("How pages are compressed"),
        )
        .arg(
            Arg::new("skip")
                .long("skip")
                .value_name("NAME")
                .value_parser(value_parser!(OsString))
                .action(ArgAction::Append)
                .help("Leave out folders of this name; may be repeated"),
        )
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("Replace files that exist"),
        )
        .arg(
            Arg::new("list")
                .long("list")
                .value_name("FILE")
                .value_parser(path())
                .help("Show what is in an archive"),
        )
        .arg(
            Arg::new("verify")
                .long("verify")
                .value_names(["FILE", "DIR"])
                .num_args(1..=2)
                .value_parser(path())
                .help("Check the stored hashes, and with DIR every byte against the files there"),
        )
        .arg(
            Arg::new("extract")
                .long("extract")
                .value_names(["FILE", "DIR"])
                .num_args(2)
                .value_parser(path())
                .help("Write the files of an archive into DIR"),
        )
        .group(ArgGroup::new("reading").args(["list", "verify", "extract"]))
        .mut_arg("dir", |arg| arg.conflicts_with("reading"))
        .mut_arg("output", |arg| arg.conflicts_with("reading"))
        .mut_arg("codec", |arg| arg.conflicts_with("reading"))
        .mut_arg("skip", |arg| arg.conflicts_with("reading"))
        .mut_arg("force", |arg| arg.conflicts_with_all(["list", "verify"]));

    let mut found = command.get_matches();
    let mut paths = |name: &str| -> Vec<PathBuf> {
        found
            .remove_many(name)
            .map_or(Vec::new(), Iterator::collect)
    };
    if let Some(archive) = paths("list").pop() {
        return Task::List { archive };
    }
    let mut verify = paths("verify").into_iter();
    if let Some(archive) = verify.next() {
        let folder = verify.next();
        return Task::Verify { archive, folder };
    }
    let mut extract = paths("extract").into_iter();
    let (folder, output) = (paths("dir").pop(), paths("output").pop());
    let force = found.get_flag("force");
    if let (Some(archive), Some(folder)) = (extract.next(), extract.next()) {
        return Task::Extract {
            archive,
            folder,
            force,
        };
    }
    Task::Pack {
        folder,
        output,
        codec: match found.get_one::<String>("codec").map(String::as_str) {
            Some("none") => Compression::None,
            Some("lz4") => Compression::LZ4,
            Some("zlib") => Compression::ZLIB,
            _ => Compression::ZSTD,
        },
        skip: found
            .remove_many("skip")
            .map_or(Vec::new(), Iterator::collect),
        force,
    }
}
