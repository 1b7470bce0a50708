//! What a loss of power did.

use std::fmt;

/// What was lost when the power went, as
/// [`FaultEnv::restart`](crate::env::FaultEnv::restart) returns it.
///
/// A sector has 512 bytes. Only what wasn't synced counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PowerLoss {
    /// Sectors that had been written and not synced.
    pub dirty_sectors: u64,
    /// Of these, the ones that are again as they were at the last sync.
    pub sectors_lost: u64,
    /// Of these, the ones that hold what they held between two writes since the last sync.
    pub sectors_of_before: u64,
    /// Of these, the ones that hold the beginning of one version and the end of another.
    pub sectors_torn: u64,
    /// Files whose change of length was lost.
    pub lengths_lost: u64,
    /// Creations, renamings and removals of files that were lost.
    pub names_lost: u64,
}

impl fmt::Display for PowerLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} unsynced sectors, of which {} lost, {} of before, {} torn; \
             {} lengths and {} names lost",
            self.dirty_sectors,
            self.sectors_lost,
            self.sectors_of_before,
            self.sectors_torn,
            self.lengths_lost,
            self.names_lost
        )
    }
}
