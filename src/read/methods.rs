//! The methods of everything that can be read, written down once.

/// Gives a type the methods for reading. It has `view(&self, operation)`, and its documentation
/// comes first.
macro_rules! reads {
    ($(#[$docs:meta])* impl $type:ty) => {
        $(#[$docs])*
        impl $type {
            /// The value of this key, or `None`.
            ///
            /// # Errors
            /// Reading the file may fail; a file written with a codec that isn't known here is
            /// `LsmMismatch`.
            pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, LsmError> {
                self.view("get")?.get(key.as_ref())
            }

            /// Looks at the value of this key without copying it; returns what `look` makes of
            /// it, or `None` if there is no such key.
            ///
            /// While `look` runs, the handle refuses everything else with `LsmMisuse`: the
            /// engine might move the value.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            pub fn get_with<T>(
                &self,
                key: impl AsRef<[u8]>,
                look: impl FnOnce(&[u8]) -> T,
            ) -> Result<Option<T>, LsmError> {
                self.view("get")?.get_with(key.as_ref(), look)
            }

            /// The values of many keys, all from one moment, in the order of the keys. Sorted
            /// keys are found faster.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            pub fn multi_get<K: AsRef<[u8]>>(
                &self,
                keys: impl IntoIterator<Item = K>,
            ) -> Result<Vec<Option<Vec<u8>>>, LsmError> {
                self.view("multi_get")?.multi_get(keys)
            }

            /// True if there is a record with this key.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            pub fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool, LsmError> {
                self.view("contains_key")?.contains_key(key.as_ref())
            }

            /// The record with the smallest key.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            pub fn first(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>, LsmError> {
                self.view("first")?.first()
            }

            /// The record with the largest key.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            pub fn last(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>, LsmError> {
                self.view("last")?.last()
            }

            /// All records in ascending order of their keys (`memcmp` order), from either end.
            pub fn iter(&self) -> LsmRange<'_> {
                self.range::<&[u8]>(..)
            }

            /// The records whose keys are in `range`, from either end. A range whose start lies
            /// after its end is empty.
            ///
            /// What stands in the way of reading is the iterator's only item.
            pub fn range<K: AsRef<[u8]>>(
                &self,
                range: impl ::std::ops::RangeBounds<K>,
            ) -> LsmRange<'_> {
                match self.view("range") {
                    Ok(view) => view.range(range),
                    Err(error) => LsmRange::broken(error),
                }
            }

            /// The records whose keys begin with `prefix`, from either end.
            pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> LsmRange<'_> {
                match self.view("prefix") {
                    Ok(view) => view.prefix(prefix.as_ref()),
                    Err(error) => LsmRange::broken(error),
                }
            }
        }

        #[cfg(feature = "typed")]
        impl $crate::typed::Readable for $type {
            fn reading(&self, operation: &'static str) -> Result<View<'_>, LsmError> {
                self.view(operation)
            }
        }

        #[cfg(feature = "typed")]
        impl $crate::typed::ReadStore for $type {}
    };
}

pub(crate) use reads;
