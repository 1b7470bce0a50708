//! Spans of the crate `tracing`; without the feature they are nothing, and cost nothing.

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::Span;
#[cfg(feature = "tracing")]
pub(crate) use enabled::Span;

#[cfg(feature = "tracing")]
mod enabled {
    use std::path::Path;

    use tracing::field::Empty;
    use tracing::span::EnteredSpan;
    use tracing::{debug_span, info_span, trace_span};

    use crate::error::LsmError;
    use crate::observe::Operation;

    /// What filters know all of them by.
    const TARGET: &str = "lsmlite_rs";

    /// A span that lasts until it is dropped.
    pub(crate) struct Span(EnteredSpan);

    impl Span {
        pub(crate) fn none() -> Span {
            Span(tracing::Span::none().entered())
        }

        pub(crate) fn open(path: &Path, read_only: bool) -> Span {
            let path = path.display();
            let span =
                info_span!(target: TARGET, "open", %path, read_only, error = Empty, busy = Empty);
            Span(span.entered())
        }

        pub(crate) fn of(operation: Operation, path: &Path) -> Span {
            let (path, kind) = (path.display(), operation.name());
            let span = match operation {
                Operation::Insert(_)
                | Operation::Remove(_)
                | Operation::RemoveRange(_)
                | Operation::Commit => {
                    trace_span!(target: TARGET, "commit", %path, kind, written_kib = Empty, error = Empty, busy = Empty)
                }
                Operation::Flush
                | Operation::Work
                | Operation::Compact
                | Operation::Ingest
                | Operation::Background => {
                    debug_span!(target: TARGET, "merge", %path, kind, written_kib = Empty, error = Empty, busy = Empty)
                }
                Operation::Checkpoint => {
                    debug_span!(target: TARGET, "checkpoint", %path, written_kib = Empty, error = Empty, busy = Empty)
                }
            };
            Span(span.entered())
        }

        /// False if nobody listens.
        pub(crate) fn is_wanted(&self) -> bool {
            !self.0.is_disabled()
        }

        pub(crate) fn end(self, error: Option<&LsmError>, written_kib: Option<u32>) {
            if let Some(kib) = written_kib {
                self.0.record("written_kib", kib);
            }
            if let Some(error) = error {
                self.0.record("busy", error.is_busy());
                self.0.record("error", tracing::field::debug(error.code()));
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod disabled {
    use std::path::Path;

    use crate::error::LsmError;
    use crate::observe::Operation;

    pub(crate) struct Span;

    impl Span {
        pub(crate) fn none() -> Span {
            Span
        }

        pub(crate) fn open(_: &Path, _: bool) -> Span {
            Span
        }

        pub(crate) fn of(_: Operation, _: &Path) -> Span {
            Span
        }

        pub(crate) fn is_wanted(&self) -> bool {
            false
        }

        pub(crate) fn end(self, _: Option<&LsmError>, _: Option<u32>) {}
    }
}

#[cfg(all(test, not(feature = "tracing")))]
mod tests {
    #[test]
    fn without_the_feature_a_span_is_nothing() {
        assert_eq!(size_of::<super::Span>(), 0);
        assert!(!std::mem::needs_drop::<super::Span>());
    }
}
