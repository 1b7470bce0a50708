//! The versions of a program do the same, and ours isn't longer than others.

use std::collections::{BTreeMap, HashMap};

use lsmlite_rs_peers::Result;
use lsmlite_rs_peers::lines::{code_lines, table};
use lsmlite_rs_peers::programs::{self, BANK, LISTING, SERIES, TEXT, words};

/// Runs all versions of a program and compares what they print.
fn all_print(program: &str, expected: &str) -> Result<()> {
    let program = programs::all().into_iter().find(|p| p.name == program);
    for version in program.ok_or("no such program")?.versions {
        let (dir, mut out) = (tempfile::tempdir()?, Vec::new());
        (version.run)(dir.path(), &mut out)?;
        assert_eq!(String::from_utf8(out)?, expected, "{}", version.store);
    }
    Ok(())
}

#[test]
fn all_stores_count_the_same_words() -> Result<()> {
    let mut counts = HashMap::new();
    for word in words(TEXT) {
        *counts.entry(word).or_insert(0_u64) += 1;
    }
    assert!(counts.len() > 1000, "the text is a real one");
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(word, count)| (u64::MAX - count, *word));
    let line = |(word, count): &(&str, u64)| format!("{count:>5} {word}\n");
    all_print(
        "word_count",
        &counts[..10].iter().map(line).collect::<String>(),
    )
}

#[test]
fn all_banks_roll_an_overdrawing_transfer_back() -> Result<()> {
    let mut balances: BTreeMap<_, _> = BANK.accounts.iter().copied().collect();
    let mut expected = String::new();
    for order in BANK.transfers {
        let done = balances[order.from] >= order.amount;
        if done {
            *balances.entry(order.from).or_default() -= order.amount;
            *balances.entry(order.to).or_default() += order.amount;
        }
        expected += &format!("{order}: {done}\n");
    }
    assert!(expected.contains("true") && expected.contains("false"));
    for (name, balance) in balances {
        expected += &format!("{name} has {balance}\n");
    }
    let sum: i64 = BANK.accounts.iter().map(|(_, balance)| balance).sum();
    all_print("bank", &format!("{expected}all have {sum}\n"))
}

#[test]
fn all_stores_read_a_time_series_in_both_directions() -> Result<()> {
    let samples = BTreeMap::from(SERIES.samples);
    let newest = samples.range(..SERIES.to).rev().take(SERIES.newest);
    let shown = samples.range(SERIES.from..SERIES.to).chain(newest);
    let expected: String = shown.map(|(t, v)| format!("{t} {v}\n")).collect();
    all_print("time_series", &expected)
}

#[test]
fn all_stores_list_the_same_pages() -> Result<()> {
    let mut names = LISTING.names.to_vec();
    names.retain(|name| name.starts_with(LISTING.prefix));
    names.sort_unstable();
    assert!(names.len() > 2 * LISTING.page_size);
    let pages = names.chunks(LISTING.page_size);
    let expected: String = pages.map(|page| page.join(", ") + "\n").collect();
    all_print("listing", &expected)
}

#[test]
fn ours_is_at_most_two_lines_longer_than_the_shortest() {
    for program in programs::all() {
        let [ours, peers @ ..] = program.lines();
        let shortest = peers.into_iter().min().unwrap();
        assert!(ours > 0, "{}: ours has no code", program.name);
        assert!(
            ours <= shortest + 2,
            "{}: ours has {ours} lines, the shortest of the peers has {shortest}",
            program.name
        );
    }
}

#[test]
fn only_code_is_counted() {
    assert_eq!(
        code_lines("use a;\n\n// b\n    /// c\n  \nfn f() {} // d\n"),
        2
    );
    for version in programs::all().iter().flat_map(|program| program.versions) {
        assert!(!version.source.contains("/*"), "would be counted");
        assert!(
            !version.source.contains("rustfmt"),
            "default rustfmt for all"
        );
    }
}

#[test]
fn the_readme_has_the_table() {
    let readme = include_str!("../README.md");
    assert!(
        readme.contains(&table()),
        "`cargo run` prints it:\n{}",
        table()
    );
}
