//! Recipes: complete programs for common tasks, to be copied and changed. Each of them is run by
//! the tests.
//!
//! | recipe | shows |
//! |---|---|
//! | [`queue`] | jobs that survive crashes, several producers and workers |
//! | [`time_series`] | windows in both directions, the newest reading, forgetting old ones |
//! | [`secondary_index`] | records found by other fields, unique fields |
//! | [`counter`] | counting in several threads, hot counters, numbers given out once |
//! | [`cache`] | entries that expire; needs the feature `typed` |
//! | [`archive`] | write once, read many: compressed, verified, read-only |
//! | [`codec`] | another codec, page size or page checksums for a database that exists |
//! | [`tables`] | several key spaces that change together, paging, renaming, dropping |
//! | [`web`] | axum and tokio, through `spawn_blocking` |
//!
//! They use [`tempfile`](https://docs.rs/tempfile) so that they can run anywhere; take a path of
//! your own instead. Shorter programs are in the folder `examples` of the repository.

// The links of the pages are looked up here.
use crate::*;

#[doc = include_str!("queue.md")]
pub mod queue {}

#[doc = include_str!("time_series.md")]
pub mod time_series {}

#[doc = include_str!("secondary_index.md")]
pub mod secondary_index {}

#[doc = include_str!("counter.md")]
pub mod counter {}

#[cfg_attr(feature = "typed", doc = include_str!("cache.md"))]
#[cfg_attr(not(feature = "typed"), doc = "Needs the feature `typed`.")]
pub mod cache {}

#[cfg_attr(feature = "zstd", doc = include_str!("archive.md"))]
#[cfg_attr(not(feature = "zstd"), doc = "Needs the feature `zstd`.")]
pub mod archive {}

#[cfg_attr(feature = "zstd", doc = include_str!("codec.md"))]
#[cfg_attr(not(feature = "zstd"), doc = "Needs the feature `zstd`.")]
pub mod codec {}

#[doc = include_str!("tables.md")]
pub mod tables {}

#[doc = include_str!("web.md")]
pub mod web {}
