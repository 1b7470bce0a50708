//! What the database must hold: a map, what it was before each open transaction, and a mark
//! of every state that was ever committed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::settings::value;

/// A value: the number of the operation that wrote it, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub version: u32,
    pub len: u32,
}

impl Written {
    pub fn bytes(self) -> Vec<u8> {
        value(self.version, self.len)
    }
}

/// Keys are named by their place in order.
pub type Map = BTreeMap<u32, Written>;

#[derive(Clone, Default)]
struct State {
    map: Map,
    /// Changes with the content and is the same for the same content.
    mark: u64,
}

#[derive(Default)]
pub struct Expected {
    now: State,
    /// What it was before each open transaction, the outermost first.
    before: Vec<State>,
    committed: HashSet<u64>,
    /// Everything that was ever written to a key.
    ever: HashMap<u32, Vec<Written>>,
}

fn mark(k: u32, written: Written) -> u64 {
    let mut hasher = DefaultHasher::new();
    (k, written.bytes()).hash(&mut hasher);
    hasher.finish()
}

impl Expected {
    pub fn new() -> Self {
        let mut expected = Expected::default();
        expected.committed.insert(0);
        expected
    }

    /// What a read on the writer's own connection sees.
    pub fn map(&self) -> &Map {
        &self.now.map
    }

    /// What everybody else sees.
    pub fn committed(&self) -> &Map {
        &self.before.first().unwrap_or(&self.now).map
    }

    pub fn depth(&self) -> usize {
        self.before.len()
    }

    /// True if there was a value before.
    pub fn insert(&mut self, k: u32, written: Written) -> bool {
        self.now.mark ^= mark(k, written);
        self.ever.entry(k).or_default().push(written);
        let old = self.now.map.insert(k, written);
        if let Some(old) = old {
            self.now.mark ^= mark(k, old);
        }
        self.changed();
        old.is_some()
    }

    pub fn remove(&mut self, k: u32) -> bool {
        let old = self.now.map.remove(&k);
        if let Some(old) = old {
            self.now.mark ^= mark(k, old);
        }
        self.changed();
        old.is_some()
    }

    /// True if there was anything strictly between.
    pub fn remove_between(&mut self, a: u32, b: u32) -> bool {
        if a >= b {
            return false;
        }
        let inside: Vec<(u32, Written)> = self
            .now
            .map
            .range(a + 1..b)
            .map(|(k, written)| (*k, *written))
            .collect();
        for (k, written) in &inside {
            self.now.map.remove(k);
            self.now.mark ^= mark(*k, *written);
        }
        self.changed();
        !inside.is_empty()
    }

    fn changed(&mut self) {
        if self.before.is_empty() {
            self.committed.insert(self.now.mark);
        }
    }

    pub fn begin(&mut self) {
        self.before.push(self.now.clone());
    }

    /// Ends transactions until so many are open.
    pub fn commit(&mut self, depth: usize) {
        self.before.truncate(depth);
        self.changed();
    }

    /// Takes back what happened since the transaction number `depth` (from 0) began.
    pub fn roll_back(&mut self, depth: usize) {
        if let Some(state) = self.before.drain(depth.min(self.before.len())..).next() {
            self.now = state;
        }
    }

    /// What was found after a crash without a log as a state that was once committed.
    fn recognise(&self, found: &[(u32, Vec<u8>)]) -> Option<State> {
        let mut state = State::default();
        for (k, bytes) in found {
            let mut versions = self.ever.get(k)?.iter();
            let written = versions.find(|w| w.bytes() == *bytes)?;
            state.map.insert(*k, *written);
            state.mark ^= mark(*k, *written);
        }
        self.committed.contains(&state.mark).then_some(state)
    }

    pub fn was_committed(&self, found: &[(u32, Vec<u8>)]) -> bool {
        self.recognise(found).is_some()
    }

    /// Goes on with what was found after a crash; false if it was never committed.
    pub fn go_back_to(&mut self, found: &[(u32, Vec<u8>)]) -> bool {
        let Some(state) = self.recognise(found) else {
            return false;
        };
        self.before.clear();
        self.committed = HashSet::from([state.mark]);
        self.now = state;
        true
    }
}
