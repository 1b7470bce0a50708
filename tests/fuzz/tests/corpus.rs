//! Every input of the corpus, without the fuzzer.

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the corpus is part of the repository") {
        let path = entry.expect("readable").path();
        eprintln!("{}", path.display());
        run(&fs::read(path).expect("readable"));
        count += 1;
    }
    assert!(count > 0, "no input for {target}");
}

#[test]
fn database_files() {
    replay("open_file", lsmlite_fuzz::open_file::run);
}

#[test]
fn logs() {
    replay("log", lsmlite_fuzz::log::run);
}

#[test]
fn histories() {
    replay("history", lsmlite_fuzz::history::run);
}
