//! Prints how long the programs are; `cargo run word_count redb` runs one of them.

use lsmlite_rs_peers::{Result, lines, programs};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [program, store] = &arguments[..] else {
        print!("{}", lines::table());
        return Ok(());
    };
    let program = programs::all().into_iter().find(|p| p.name == *program);
    let version = program.and_then(|p| p.versions.into_iter().find(|v| v.store == *store));
    let version = version.ok_or("the names are those in the table of `cargo run`")?;
    let dir = tempfile::tempdir()?;
    (version.run)(dir.path(), &mut std::io::stdout())
}
