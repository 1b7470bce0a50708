//! Suites: what one child process of each store does in each round, and with which numbers.

use lsmlite_rs_peers::child::Group;

/// Stores that only set a mark: the same loop without a store, and a bare file.
pub const MARKS: [&str; 2] = ["idle", "bare"];

/// Suites in which nothing is read.
const WRITES: [&str; 5] = ["sequential", "batches", "1kib", "10kib", "full"];

pub struct Suite {
    pub name: &'static str,
    pub title: &'static str,
    pub group: Group,
    pub size: Size,
    /// Phases of the group that are left out otherwise, or all.
    pub only: &'static [&'static str],
    /// For a fixed rate.
    pub seconds: u64,
    /// The mark that belongs to it.
    pub mark: Option<&'static str>,
    pub stores: Stores,
    pub cache_mib: usize,
    pub least_rounds: usize,
    /// Not part of a run without arguments.
    pub on_request: bool,
}

pub enum Size {
    /// As many small records as asked for, or what the group makes of that.
    Asked,
    /// That share of it: in thousandths.
    Thousandths(u64),
}

pub enum Stores {
    All,
    Only(&'static [&'static str]),
    Without(&'static [&'static str]),
}

/// Enough for all records of 100 bytes, as if they were mapped.
pub const CACHE_MIB: usize = 256;

const SUITE: Suite = Suite {
    name: "",
    title: "",
    group: Group::Random,
    size: Size::Asked,
    only: &[],
    seconds: 0,
    mark: None,
    stores: Stores::All,
    cache_mib: CACHE_MIB,
    least_rounds: 1,
    on_request: false,
};

const GROWTH: Suite = Suite {
    only: &["get-compacted", "missing-compacted", "scan-forward"],
    stores: Stores::Only(&["ours", "rocksdb", "fjall", "lmdb"]),
    ..SUITE
};

pub const SUITES: [Suite; 17] = [
    Suite {
        name: "sequential",
        title: "sequential keys",
        group: Group::Sequential,
        ..SUITE
    },
    Suite {
        name: "random",
        title: "random keys, then reading",
        only: &[
            "get-loaded",
            "missing-loaded",
            "get-compacted",
            "missing-compacted",
            "scan-forward",
            "scan-reverse",
            "scan-100",
        ],
        ..SUITE
    },
    Suite {
        name: "threads",
        title: "reading on one and two threads",
        only: &["kept-1", "kept-2", "anew-1", "anew-2"],
        stores: Stores::Only(&["ours", "rocksdb", "fjall", "lmdb"]),
        least_rounds: 5,
        ..SUITE
    },
    Suite {
        name: "batches",
        title: "batches of 1000",
        group: Group::Batches,
        ..SUITE
    },
    Suite {
        name: "1kib",
        title: "values of 1 KiB",
        group: Group::Kib1,
        ..SUITE
    },
    Suite {
        name: "10kib",
        title: "values of 10 KiB",
        group: Group::Kib10,
        ..SUITE
    },
    Suite {
        name: "ingest",
        title: "sorted records at once",
        group: Group::Ingest,
        stores: Stores::Without(&["sled", "0.2.2"]),
        ..SUITE
    },
    Suite {
        name: "zstd",
        title: "compressed with zstd, level 3, cache of 32 MiB",
        group: Group::Zstd,
        stores: Stores::Only(&["ours", "rocksdb", "0.2.2"]),
        cache_mib: 32,
        ..SUITE
    },
    Suite {
        name: "sync",
        title: "a sync for each commit",
        group: Group::Sync,
        mark: Some("bare"),
        stores: Stores::Without(&["0.2.2"]),
        ..SUITE
    },
    Suite {
        name: "full",
        title: "single puts, one after the other",
        group: Group::Full,
        mark: Some("idle"),
        ..SUITE
    },
    Suite {
        name: "paced",
        title: "10,000 puts a second",
        group: Group::Paced10k,
        seconds: 10,
        mark: Some("idle"),
        ..SUITE
    },
    Suite {
        name: "tail-10k",
        title: "10,000 puts a second for 60 s",
        group: Group::Tail10k,
        seconds: 60,
        mark: Some("idle"),
        stores: Stores::Only(&["ours"]),
        least_rounds: 5,
        ..SUITE
    },
    Suite {
        name: "tail-200",
        title: "200 puts a second for 60 s",
        group: Group::Tail200,
        seconds: 60,
        mark: Some("idle"),
        stores: Stores::Only(&["ours"]),
        least_rounds: 5,
        ..SUITE
    },
    Suite {
        name: "crash",
        title: "killed, and opened again",
        group: Group::Crash,
        ..SUITE
    },
    Suite {
        name: "growth-0.1",
        title: "a tenth of the records",
        size: Size::Thousandths(100),
        ..GROWTH
    },
    Suite {
        name: "growth-10",
        title: "ten times the records",
        size: Size::Thousandths(10_000),
        ..GROWTH
    },
    Suite {
        name: "growth-50",
        title: "fifty times the records",
        size: Size::Thousandths(50_000),
        on_request: true,
        ..GROWTH
    },
];

impl Suite {
    pub fn named(name: &str) -> Option<&'static Suite> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    pub fn records(&self, asked: u64) -> u64 {
        match self.size {
            Size::Asked => asked,
            Size::Thousandths(share) => (asked * share / 1000).max(1000),
        }
    }

    /// Whether this store takes part unless it is asked for by name.
    pub fn takes(&self, store: &str) -> bool {
        match self.stores {
            // It reads as the other one does.
            _ if store == "lmdb-map" => WRITES.contains(&self.name),
            _ if MARKS.contains(&store) => self.mark == Some(store),
            Stores::All => true,
            Stores::Only(stores) => stores.contains(&store),
            Stores::Without(stores) => !stores.contains(&store),
        }
    }
}
