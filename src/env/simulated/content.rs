//! What a file holds: now, on the disk, and in between.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

use super::memory::Memory;
use super::power::PowerLoss;
use super::random::Random;

/// The unit in which a disk writes: whole or not at all.
pub(super) const SECTOR: usize = 512;

pub(super) type Sector = [u8; SECTOR];

/// So many versions of a sector between two syncs are remembered, apart from its first and
/// its last.
const MAX_VERSIONS: usize = 4;

pub(super) struct Content {
    /// What reads and mappings see. Zeros from the length on.
    memory: Memory,
    length: usize,
    /// What a sync has made certain; `None` where power is never lost.
    durable: Option<Vec<u8>>,
    /// The sectors that were written since the last sync, each with the versions that it had
    /// in between.
    dirty: BTreeMap<usize, Vec<Sector>>,
    /// The lengths that the file had since the last sync.
    lengths: Vec<usize>,
    /// Mapped for writing at some time since the last sync: every sector may have changed.
    mapped: Option<Range<usize>>,
    /// The mappings that there are, and which of them can be written.
    mappings: Vec<(Range<usize>, bool)>,
    /// Sectors that a failed sync counts as written although they aren't, as they were then.
    forgotten: BTreeMap<usize, Sector>,
}

impl Content {
    pub(super) fn new(keeps_durable: bool) -> io::Result<Content> {
        Ok(Content {
            memory: Memory::new()?,
            length: 0,
            durable: keeps_durable.then(Vec::new),
            dirty: BTreeMap::new(),
            lengths: Vec::new(),
            mapped: None,
            mappings: Vec::new(),
            forgotten: BTreeMap::new(),
        })
    }

    /// A file that was written long ago.
    pub(super) fn with(bytes: Vec<u8>, keeps_durable: bool) -> io::Result<Content> {
        let mut content = Content::new(keeps_durable)?;
        content.memory.grow(bytes.len())?;
        content.memory.write(0, &bytes);
        content.length = bytes.len();
        content.durable = keeps_durable.then_some(bytes);
        Ok(content)
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    pub(super) fn read(&self, buffer: &mut [MaybeUninit<u8>], offset: usize) -> usize {
        let n = buffer.len().min(self.length.saturating_sub(offset));
        if n > 0 {
            self.memory.read(offset, &mut buffer[..n]);
        }
        n
    }

    pub(super) fn read_all(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        self.memory.copy_to(0, &mut bytes);
        bytes
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) -> io::Result<()> {
        let end = offset
            .checked_add(bytes.len())
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EFBIG))?;
        self.memory.grow(end)?;
        self.will_change(offset..end);
        self.memory.write(offset, bytes);
        if end > self.length {
            self.lengths.push(self.length);
            self.length = end;
        }
        Ok(())
    }

    pub(super) fn set_length(&mut self, length: usize) -> io::Result<()> {
        if length == self.length {
            return Ok(());
        }
        self.memory.grow(length)?;
        if length < self.length {
            self.will_change(length..self.length);
            self.memory.clear(length, self.length)?;
        }
        self.lengths.push(self.length);
        self.length = length;
        Ok(())
    }

    /// Maps a part of the file, which need not be there yet.
    pub(super) fn map(&mut self, range: Range<usize>, writable: bool) -> NonNull<u8> {
        let at = self.memory.address(range.start);
        if writable {
            // What is stored through it can be what was there: that can't be seen, but makes
            // the sector dirty again.
            let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
            self.forgotten.retain(|sector, _| !sectors.contains(sector));
        }
        self.mappings.push((range, writable));
        self.note_mappings();
        at
    }

    /// Ends a mapping; false if there is none like this.
    pub(super) fn unmap(&mut self, at: NonNull<u8>, length: usize) -> bool {
        let found = self
            .mappings
            .iter()
            .position(|(range, _)| range.len() == length && self.memory.address(range.start) == at);
        found.is_some_and(|i| {
            self.mappings.swap_remove(i);
            true
        })
    }

    fn note_mappings(&mut self) {
        for (range, _) in self.mappings.iter().filter(|(_, writable)| *writable) {
            self.mapped = Some(match self.mapped.take() {
                Some(old) => old.start.min(range.start)..old.end.max(range.end),
                None => range.clone(),
            });
        }
    }

    /// Everything reaches the disk.
    pub(super) fn sync(&mut self) {
        self.write_back(|_| true);
    }

    /// As Linux does it: what didn't reach the disk is no longer known to be missing there.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        let eighths = random.below(9);
        let lost = self.write_back(|_| random.chance(eighths));
        for sector in lost {
            let now = self.sector(sector);
            self.forgotten.insert(sector, now);
        }
    }

    /// Writes those dirty sectors that `reaches` says, and returns the others. None is dirty
    /// afterwards.
    fn write_back(&mut self, mut reaches: impl FnMut(usize) -> bool) -> Vec<usize> {
        let Some(mut durable) = self.durable.take() else {
            return Vec::new();
        };
        durable.resize(self.length, 0);
        let mut lost = Vec::new();
        for sector in self.changed(&durable) {
            if !reaches(sector) {
                lost.push(sector);
                continue;
            }
            let now = self.sector(sector);
            let to = &mut durable[sector * SECTOR..];
            let n = to.len().min(SECTOR);
            to[..n].copy_from_slice(&now[..n]);
            self.forgotten.remove(&sector);
        }
        self.durable = Some(durable);
        self.dirty.clear();
        self.lengths.clear();
        self.mapped = None;
        self.note_mappings();
        lost
    }

    /// The sectors within the file that aren't known to be on the disk.
    fn changed(&self, durable: &[u8]) -> Vec<usize> {
        let end = self.length.div_ceil(SECTOR);
        let mut changed: Vec<_> = self.dirty.range(..end).map(|(&sector, _)| sector).collect();
        if let Some(mapped) = &self.mapped {
            let mut mapped = mapped.start / SECTOR..mapped.end.div_ceil(SECTOR).min(end);
            while let Some(sector) = mapped.next() {
                // Most of what is mapped wasn't written to.
                let same = self.same_from(sector, mapped.end, durable);
                if same > 0 {
                    mapped.start = sector + same;
                    continue;
                }
                let now = self.sector(sector);
                if now != padded(durable, sector)
                    && !self.dirty.contains_key(&sector)
                    && self.forgotten.get(&sector) != Some(&now)
                {
                    changed.push(sector);
                }
            }
            changed.sort_unstable();
        }
        changed
    }

    /// How many whole sectors from this one on, up to `end`, are as on the disk, as far as
    /// one look tells.
    fn same_from(&self, sector: usize, end: usize, durable: &[u8]) -> usize {
        let most = durable.len().min(self.length) / SECTOR;
        let mut count = most.min(end).saturating_sub(sector);
        while count > 0 {
            let begin = sector * SECTOR;
            if self
                .memory
                .holds(begin, &durable[begin..begin + count * SECTOR])
            {
                break;
            }
            count /= 2;
        }
        count
    }

    /// Remembers what these bytes are before they change.
    fn will_change(&mut self, range: Range<usize>) {
        if self.durable.is_none() {
            return;
        }
        for sector in range.start / SECTOR..range.end.div_ceil(SECTOR) {
            // A page that is written again is known to be dirty again.
            self.forgotten.remove(&sector);
            // Before the first write it is as on the disk, unless it is mapped.
            if !self.dirty.contains_key(&sector) && self.mapped.is_none() {
                self.dirty.insert(sector, Vec::new());
                continue;
            }
            let now = self.sector(sector);
            let versions = self.dirty.entry(sector).or_default();
            if versions.len() == MAX_VERSIONS {
                versions.remove(0);
            }
            versions.push(now);
        }
    }

    /// A sector as it is now, with zeros behind the end of the file.
    fn sector(&self, sector: usize) -> Sector {
        let begin = sector * SECTOR;
        let n = SECTOR.min(self.length.saturating_sub(begin));
        let mut now = [0; SECTOR];
        if n > 0 {
            self.memory.copy_to(begin, &mut now[..n]);
        }
        now
    }

    /// What the disk holds after the power was lost now.
    pub(super) fn after_power_loss(
        &self,
        random: &mut Random,
        tears: bool,
        loss: &mut PowerLoss,
    ) -> Vec<u8> {
        let Some(durable) = &self.durable else {
            return self.read_all();
        };
        // Files differ in how much of them was written back before.
        let eighths = [0, 1, 4, 7, 8][random.index(5)];

        let mut length = self.length;
        if !self.lengths.is_empty() && !random.chance(eighths) {
            // The first one is the durable one.
            length = match eighths {
                0 => self.lengths[0],
                _ => self.lengths[random.index(self.lengths.len())],
            };
            loss.lengths_lost += u64::from(length != self.length);
        }
        let mut after = durable.clone();
        after.resize(length, 0);

        let mut changed = self.changed(durable);
        // Also what was written and then cut off, in case the cut is lost.
        let end = self.length.div_ceil(SECTOR);
        changed.extend(self.dirty.range(end..).map(|(&sector, _)| sector));
        for sector in changed {
            loss.dirty_sectors += 1;
            let to = after.get_mut(sector * SECTOR..).unwrap_or_default();
            let n = to.len().min(SECTOR);
            if n == 0 {
                continue;
            }
            let old = padded(durable, sector);
            let versions = self.dirty.get(&sector).map_or(&[][..], Vec::as_slice);
            let mut choose = |loss: &mut PowerLoss| {
                if random.chance(eighths) && sector < end {
                    return self.sector(sector);
                }
                let choice = match eighths {
                    0 => 0,
                    _ => random.index(versions.len() + 1),
                };
                match choice.checked_sub(1) {
                    None => {
                        loss.sectors_lost += 1;
                        old
                    }
                    Some(version) => {
                        loss.sectors_of_before += 1;
                        versions[version]
                    }
                }
            };
            let mut chosen = choose(loss);
            if tears && n == SECTOR {
                let other = choose(&mut PowerLoss::default());
                let cut = random.index(SECTOR);
                if other != chosen {
                    chosen[cut..].copy_from_slice(&other[cut..]);
                    loss.sectors_torn += 1;
                }
            }
            to[..n].copy_from_slice(&chosen[..n]);
        }
        after
    }
}

/// A sector of these bytes, with zeros behind their end.
fn padded(bytes: &[u8], sector: usize) -> Sector {
    let from = bytes.get(sector * SECTOR..).unwrap_or_default();
    let n = from.len().min(SECTOR);
    let mut padded = [0; SECTOR];
    padded[..n].copy_from_slice(&from[..n]);
    padded
}
