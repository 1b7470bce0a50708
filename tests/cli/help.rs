//! Help: what it says, and that the examples in it are those of each command.

use std::path::Path;
use std::process::Command;

use crate::run::{Place, Result, finish, lsmlite};

/// Every command that `--help` lists.
pub fn commands() -> Vec<String> {
    let help = lsmlite(&["--help"]);
    let list = help.text().split_once("Commands:\n").unwrap().1;
    let list = list.split_once("\n\n").unwrap().0;
    // Longer descriptions go on in lines that begin further right.
    let lines = list.lines().filter(|line| !line.starts_with("   "));
    lines
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect()
}

/// The lines of the help's example.
fn examples(command: &str) -> Vec<String> {
    let help = lsmlite(&[command, "--help"]);
    let examples = help.text().split_once("Examples:\n").expect(command).1;
    let lines = examples.lines().take_while(|line| line.starts_with("  "));
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn each_command_has_an_example_that_calls_it() -> Result {
    let commands = commands();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let call = format!("lsmlite {command} ");
        assert!(
            examples(&command).iter().any(|line| line.contains(&call)),
            "{command}"
        );
    }
    Ok(())
}

/// Whatever else they say, as the files aren't there.
#[cfg(unix)]
#[test]
fn the_arguments_in_the_examples_are_understood() -> Result {
    let folder = Path::new(env!("CARGO_BIN_EXE_lsmlite")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH")?);
    for command in commands() {
        for line in examples(&command) {
            let place = Place::new();
            // What takes long has read its arguments by then.
            let line = line.replace("lsmlite bench", "timeout 0.3 lsmlite bench");
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &line])
                .env("PATH", &path)
                .current_dir(place.folder.path());
            let done = finish(&mut shell, b"");
            assert!(!done.stderr.contains("error: "), "{line}: {}", done.stderr);
        }
    }
    Ok(())
}
