//! Free blocks.
//!
//! The engine lists them in records of its own: the key is the block's number, all bits inverted
//! (4 bytes), the value is the number of the checkpoint that used it last (8). That a block was
//! taken again is a deleted gap around its key. The checkpoint has the latest changes, which come
//! before those records.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::page::kind;
use super::plan::{Rank, Run};
use super::run::Record;

/// The engine's own records in one run, by inverted block number.
pub(crate) struct Listed {
    records: BTreeMap<u32, (u8, bool)>,
    /// The run's level is being merged and this is the left run: nothing ends its last gap.
    open_end: bool,
    /// Only from this key on, in right runs.
    from: Option<Rank>,
}

impl Listed {
    /// None yet.
    pub(crate) fn of(run: &Run) -> Listed {
        Listed {
            records: BTreeMap::new(),
            open_end: run.split.is_some() && !run.is_right(),
            from: run.split.clone().filter(|_| run.is_right()),
        }
    }

    /// Takes a record of the engine; says what is wrong with it.
    pub(crate) fn add(&mut self, record: &Record) -> Result<(), String> {
        if record.is_separator() {
            return Ok(());
        }
        let Ok(key) = <[u8; 4]>::try_from(&record.key[..]) else {
            return Err(format!(
                "its record {} isn't one of a free block, but has the mark of one",
                record.cell
            ));
        };
        let counts = !self
            .from
            .as_ref()
            .is_some_and(|split| super::plan::before(record.rank(), split));
        self.records
            .insert(u32::from_be_bytes(key), (record.kind, counts));
        Ok(())
    }

    /// What this run says of a key: `Some(true)`: listed, `Some(false)`: deleted.
    fn says(&self, key: u32) -> Option<bool> {
        let counts = !self
            .from
            .as_ref()
            .is_some_and(|(system, split)| *system && key.to_be_bytes()[..] < split[..]);
        if !counts {
            return None;
        }
        if let Some((kind, _)) = self.records.get(&key) {
            if kind & kind::INSERT != 0 {
                return Some(true);
            }
            if kind & kind::DELETE != 0 {
                return Some(false);
            }
            return None;
        }
        let above = self.records.range(key..).next();
        let deleted = match above {
            Some((_, (kind, _))) => kind & kind::END_DELETE != 0,
            None => {
                let below = self.records.range(..key).next_back();
                self.open_end && below.is_some_and(|(_, (kind, _))| kind & kind::BEGIN_DELETE != 0)
            }
        };
        deleted.then_some(false)
    }
}

/// The free blocks, from what the runs say, newest first.
pub(crate) fn free_blocks(checkpoint: &Checkpoint, runs: &[Listed]) -> Vec<u32> {
    let mut state: BTreeMap<u32, bool> = BTreeMap::new();
    for &(block, freed) in &checkpoint.free {
        state.insert(block, freed.is_some());
    }
    for (i, run) in runs.iter().enumerate() {
        for (&key, &(kind, counts)) in &run.records {
            if kind & kind::INSERT == 0 || !counts {
                continue;
            }
            let newer = runs[..i].iter().find_map(|newer| newer.says(key));
            if newer.is_none() {
                state.entry(!key).or_insert(true);
            }
        }
    }
    let free = state.into_iter().filter(|&(_, free)| free);
    free.map(|(block, _)| block).collect()
}
