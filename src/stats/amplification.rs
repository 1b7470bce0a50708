//! How much is written to the file for each byte that was given.

use super::DbStats;

impl DbStats {
    /// The write amplification between `earlier` and now: how many bytes went to the file for each
    /// byte that this handle was given to write. 1 if each was written once, and more the more often
    /// it was merged since; the log, about 1 more, isn't counted.
    ///
    /// What background threads and other handles wrote to the file is in it. What is still in
    /// memory isn't, so let some time be between the two, or flush.
    ///
    /// `None` if nothing was given, and with a codec or page checksums, because the engine counts
    /// pages, which differ in size then.
    ///
    /// ```
    /// # fn main() -> Result<(), lsmlite_rs::LsmError> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let mut db = lsmlite_rs::LsmDb::open(dir.path().join("demo.lsm"))?;
    /// let earlier = db.stats()?;
    /// for i in 0..10_000_u32 {
    ///     db.insert(i.to_be_bytes(), [0; 100])?;
    /// }
    /// db.flush()?;
    /// let amplification = db.stats()?.write_amplification_since(&earlier).unwrap();
    /// assert!((1.0..1.5).contains(&amplification));
    /// # Ok(()) }
    /// ```
    pub fn write_amplification_since(&self, earlier: &DbStats) -> Option<f64> {
        let given = self.bytes_given.checked_sub(earlier.bytes_given)?;
        if self.is_packed || given == 0 {
            return None;
        }
        let pages = (self.pages_written_in_total).wrapping_sub(earlier.pages_written_in_total);
        Some(f64::from(pages) * f64::from(self.page_size_bytes) / given as f64)
    }
}
