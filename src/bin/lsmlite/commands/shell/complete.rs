//! What the tab key offers.

use clap::{Arg, Command, CommandFactory};
use lsmlite_rs::dump::Encoding;

use super::session::Line;
use super::words::{Word, quote, split};
use crate::exit::Failure;
use crate::records::Defaults;
use crate::select::{View, range_of_prefix};

/// So many keys are offered.
const KEYS: usize = 50;
/// Options whose values are keys.
const KEY_OPTIONS: [&str; 5] = ["prefix", "start", "after", "end", "through"];
/// Commands whose arguments are keys, of `put` the first one.
const KEY_COMMANDS: [&str; 3] = ["get", "put", "del"];

/// Where the last word of the line begins, and what it may become.
pub fn complete(line: &str, view: View<'_>, defaults: &Defaults) -> (usize, Vec<String>) {
    let mut words = split(line);
    let is_finished = words.last().is_none_or(|word| word.open.is_none());
    if is_finished && line.chars().next_back().is_none_or(char::is_whitespace) {
        let (start, text) = (line.len(), String::new());
        words.push(Word { start, text, open: None });
    }
    let Some(last) = words.pop() else {
        return (line.len(), Vec::new());
    };
    let before: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let candidates = candidates(&before, &last.text, view, defaults);
    (last.start, candidates.iter().map(|word| quote(word)).collect())
}

fn candidates(before: &[&str], word: &str, view: View<'_>, defaults: &Defaults) -> Vec<String> {
    let mut all = Line::command();
    all.build();
    let Some((name, arguments)) = before.split_first() else {
        let (dot, word) = match word.strip_prefix('.') {
            Some(rest) => (".", rest),
            None => ("", word),
        };
        let names = all.get_subcommands().map(Command::get_name);
        return beginning(word, names).map(|name| format!("{dot}{name}")).collect();
    };
    let name = name.strip_prefix('.').unwrap_or(name);
    if name == "help" {
        return beginning(word, all.get_subcommands().map(Command::get_name)).collect();
    }
    let Some(command) = all.find_subcommand(name) else {
        return Vec::new();
    };
    let valued = arguments.last().and_then(|option| find(command, option));
    if let Some(option) = valued.filter(|option| option.get_action().takes_values()) {
        let id = option.get_id().as_str();
        return match id {
            "table" => tables(word, view),
            _ if KEY_OPTIONS.contains(&id) => keys(arguments, word, view, defaults),
            _ => values(option, word),
        };
    }
    if word.starts_with('-') {
        let options = command.get_opts().chain(command.get_arguments());
        let mut names: Vec<_> = options.filter_map(|option| option.get_long()).collect();
        names.sort_unstable();
        names.dedup();
        let names = names.iter().map(|name| format!("--{name}"));
        return names.filter(|name| name.starts_with(word)).collect();
    }
    if name == "use" {
        return tables(word, view);
    }
    let is_first = arguments.iter().all(|argument| argument.starts_with('-'));
    if KEY_COMMANDS.contains(&name) && (name != "put" || is_first) {
        return keys(arguments, word, view, defaults);
    }
    let positional = command.get_positionals().next();
    positional.map_or(Vec::new(), |argument| values(argument, word))
}

/// The option of this name, as `--name` or `-n`.
fn find<'a>(command: &'a Command, written: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| {
        let long = argument.get_long().is_some_and(|long| written == format!("--{long}"));
        long || argument.get_short().is_some_and(|short| written == format!("-{short}"))
    })
}

fn beginning<'a>(
    word: &str,
    names: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = String> {
    names.filter(move |name| name.starts_with(word)).map(str::to_owned)
}

fn values(argument: &Arg, word: &str) -> Vec<String> {
    let values = argument.get_possible_values();
    beginning(word, values.iter().map(|value| value.get_name())).collect()
}

/// There are none if they can't be read: the command will say why.
fn tables(word: &str, view: View<'_>) -> Vec<String> {
    let names = view.tables().unwrap_or_default();
    beginning(word, names.iter().map(String::as_str)).collect()
}

/// The first keys that begin like this, and the last: so that what all of these have in common, all
/// keys have.
fn keys(arguments: &[&str], word: &str, view: View<'_>, defaults: &Defaults) -> Vec<String> {
    let chosen = |options: &[&str]| {
        let pairs = arguments.windows(2).rev();
        pairs.filter(|pair| options.contains(&pair[0])).map(|pair| pair[1].to_owned()).next()
    };
    let table = chosen(&["--table", "-t"]).or_else(|| defaults.table.clone());
    let named = chosen(&["--key-encoding", "--encoding", "-e"]).and_then(|name| name.parse().ok());
    let encoding: Encoding = named.or(defaults.keys).unwrap_or_default();
    let found = view.visit(table.as_deref(), range_of_prefix(prefix(encoding, word)), |records| {
        let mut keys = records.keys();
        let mut found = Vec::new();
        for key in keys.by_ref().take(KEYS) {
            found.push(key?);
        }
        if let Some(key) = keys.next_back() {
            found.push(key?);
        }
        Ok::<_, Failure>(found)
    });
    let found = found.unwrap_or_default();
    let written = found.iter().map(|key| encoding.encode(key));
    written.filter(|key| key.starts_with(word)).collect()
}

/// The bytes that the word means, as far as it goes: half a hexadecimal number is left out.
fn prefix(encoding: Encoding, word: &str) -> Vec<u8> {
    let ends = word.char_indices().map(|(end, _)| end).rev().take(4);
    let mut parts = [word.len()].into_iter().chain(ends).map(|end| &word[..end]);
    let decoded = parts.find_map(|part| encoding.decode(part.as_bytes()).ok());
    decoded.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsmlite_rs::{LsmDb, LsmError};

    fn sample(look: impl FnOnce(&dyn Fn(&str) -> Vec<String>)) -> Result<(), LsmError> {
        let dir = tempfile::tempdir().expect("a folder");
        let mut db = LsmDb::open(dir.path().join("a.lsm"))?;
        for key in ["no/bergen", "no/oslo", "se/a b"] {
            db.insert(key, "")?;
        }
        db.table("users")?.insert("anna", "")?;
        db.table("uses")?.insert("7", "")?;
        look(&|line| {
            let (start, found) = complete(line, View::Db(&db), &Defaults::default());
            let lines = found.iter().map(|word| format!("{}{word}", &line[..start]));
            lines.collect()
        });
        db.close()
    }

    #[test]
    fn commands_options_tables_and_keys_are_completed() -> Result<(), LsmError> {
        sample(|of| {
            assert_eq!(of("sc"), ["scan"]);
            assert_eq!(of(".tab"), [".tables"]);
            assert_eq!(of("help sca"), ["help scan"]);
            assert_eq!(of("scan --li"), ["scan --limit"]);
            assert_eq!(of("scan --format j"), ["scan --format json"]);
            assert_eq!(of("format "), ["format text", "format json", "format csv"]);
            assert_eq!(of("use us"), ["use users", "use uses"]);
            assert_eq!(of("scan -t use"), ["scan -t users", "scan -t uses"]);
            assert_eq!(of("get no/"), ["get no/bergen", "get no/oslo"]);
            assert_eq!(of("get -t users "), ["get -t users anna"]);
            assert_eq!(of("scan --start no/o"), ["scan --start no/oslo"]);
            assert_eq!(of("put no/o"), ["put no/oslo"]);
            assert_eq!(of("put no/oslo n"), [""; 0]);
            assert_eq!(of("nonsense n"), [""; 0]);
        })
    }

    #[test]
    fn keys_are_completed_in_their_encoding_and_quoted() -> Result<(), LsmError> {
        sample(|of| {
            assert_eq!(of("get se"), ["get \"se/a b\""]);
            assert_eq!(of("get \"se/a "), ["get \"se/a b\""]);
            assert_eq!(of("get -e hex 73652"), ["get -e hex 73652f612062"]);
            assert_eq!(of("get -e hex 73656"), [""; 0]);
        })
    }

    #[test]
    fn what_many_keys_have_in_common_is_not_overstated() -> Result<(), LsmError> {
        let dir = tempfile::tempdir().expect("a folder");
        let mut db = LsmDb::open(dir.path().join("a.lsm"))?;
        for i in 0..1000 {
            db.insert(format!("k{i:03}"), "")?;
        }
        let (_, found) = complete("get k", View::Db(&db), &Defaults::default());
        assert_eq!(found.len(), KEYS + 1);
        assert_eq!((&*found[0], &*found[KEYS]), ("k000", "k999"));
        db.close()
    }
}
