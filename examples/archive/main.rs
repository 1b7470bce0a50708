//! A folder packed into one compressed database file that is written once and read many times.
//!
//! `cargo run --release --example archive` packs this repository and checks the result;
//! `-- --help` after it tells the rest. The format is described in `layout.rs`.

mod args;
mod extract;
mod layout;
mod pack;
mod reader;
mod show;
mod verify;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use args::Task;
use layout::Kind;
use lsmlite_rs::compression::Compression;
use reader::Archive;

/// What went wrong with single files; the task as a whole was carried out.
type Problems = Vec<String>;

fn main() -> ExitCode {
    let outcome = match args::parse() {
        Task::Pack {
            folder,
            output,
            codec,
            skip,
            force,
        } => pack(folder, output, codec, skip, force),
        Task::List { archive } => list(&archive),
        Task::Verify { archive, folder } => {
            Archive::open(&archive).and_then(|archive| verify::verify(&archive, folder.as_deref()))
        }
        Task::Extract {
            archive,
            folder,
            force,
        } => Archive::open(&archive).and_then(|archive| extract::extract(&archive, &folder, force)),
    };
    match outcome {
        Ok(problems) if problems.is_empty() => ExitCode::SUCCESS,
        Ok(problems) => {
            for problem in &problems {
                eprintln!("archive: {problem}");
            }
            let n = show::count(problems.len() as u64, "problem");
            eprintln!("archive: {n}, see above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("archive: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Packs a folder, opens the archive again and compares it with the folder.
fn pack(
    folder: Option<PathBuf>,
    output: Option<PathBuf>,
    codec: Compression,
    mut skip: Vec<OsString>,
    mut force: bool,
) -> Result<Problems, Box<dyn Error>> {
    let start = std::time::Instant::now();
    let demonstration = folder.is_none();
    let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    if demonstration {
        skip.extend(["target", ".git"].map(OsString::from));
    }
    let output = match output {
        Some(output) => output,
        None => {
            // The demonstration's archive lies in the build folder and is replaced each time.
            force |= demonstration;
            let place = match demonstration {
                true => build_folder(),
                false => PathBuf::new(),
            };
            place.join(file_name(&folder))
        }
    };

    println!("Packing {}", folder.display());
    let packed = pack::pack(&folder, &output, codec, &skip, force)?;
    let mut problems = packed.problems;
    let archive = Archive::open(&output)?;
    problems.extend(verify::verify(&archive, Some(&folder))?);

    let ratio = packed.bytes as f64 / packed.archive_bytes.max(1) as f64;
    println!(
        "\n{} in {} -> {} in one file, {ratio:.1} to 1, in {:.2} s:\n{}",
        show::bytes(packed.bytes),
        show::count(packed.files, "file"),
        show::bytes(packed.archive_bytes),
        start.elapsed().as_secs_f64(),
        output.display(),
    );
    if demonstration {
        let output = output.display();
        println!("\nTo go on:");
        println!("  cargo run --release --example archive -- --list {output}");
        println!("  cargo run --release --example archive -- --extract {output} NEW_FOLDER");
        println!("  cargo run --release --example archive -- --help");
    }
    Ok(problems)
}

/// The folder of this profile's build, such as `target/release`, or failing that the current one.
fn build_folder() -> PathBuf {
    let exe = env::current_exe().unwrap_or_default();
    match exe.parent().and_then(Path::parent) {
        Some(folder) if folder.is_dir() => {
            let here = env::current_dir().unwrap_or_default();
            folder.strip_prefix(here).unwrap_or(folder).to_owned()
        }
        _ => PathBuf::new(),
    }
}

/// `NAME.lsm` for a folder NAME, also if that was given as `.`.
fn file_name(folder: &Path) -> OsString {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut name = folder.file_name().unwrap_or("archive".as_ref()).to_owned();
    name.push(".lsm");
    name
}

/// Prints size, kind and path of each entry.
fn list(path: &Path) -> Result<Problems, Box<dyn Error>> {
    let archive = Archive::open(path)?;
    let mut out = io::stdout().lock();
    let (mut files, mut bytes) = (0, 0);
    for listed in archive.entries() {
        let entry = listed?.entry;
        let name = show::name(&entry.path);
        let line = match &entry.kind {
            Kind::File { size, .. } => {
                files += 1;
                bytes += size;
                format!("{:>12}  {name}", show::bytes(*size))
            }
            Kind::Folder => format!("{:>12}  {name}/", "folder"),
            Kind::Link { target } => format!("{:>12}  {name} -> {}", "link", show::name(target)),
        };
        match writeln!(out, "{line}") {
            // The reader, such as `head`, has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Vec::new()),
            written => written?,
        }
    }
    let packed = show::bytes(std::fs::metadata(path)?.len());
    let (files, bytes) = (show::count(files, "file"), show::bytes(bytes));
    match writeln!(out, "\n{files}, {bytes}, packed into {packed}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Vec::new()),
    }
}
