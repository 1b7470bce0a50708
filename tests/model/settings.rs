//! What a history runs on: the database's settings and the shape of its data, drawn from the
//! seed. As text it is `name=number` for each, so that a shrunken history can state it.

use std::fmt;
use std::str::FromStr;

use crate::random::{Random, mix};

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Settings {
            $($(#[$doc])* pub $name: u32,)*
        }

        impl Settings {
            fn field(&mut self, name: &str) -> Option<&mut u32> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Settings {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(write!(f, concat!(stringify!($name), "={} "), self.$name)?;)*
                Ok(())
            }
        }
    };
}

settings! {
    page_bytes,
    block_kib,
    autoflush_kib,
    autocheckpoint_kib,
    automerge,
    free_list,
    /// 0: off, 1: all of the file, else: so many KiB.
    mmap,
    log,
    multi_process,
    /// 0: off, 1: normal, 2: full.
    safety,
    /// 0: none, 1: merger, 2: checkpointer, 3: both.
    background,
    /// 0: none, 1: LZ4, 2: zlib, 3: zstd.
    codec,
    /// Pages carry checksums.
    checksums,
    autowork,
    /// How many readers with connections of their own.
    readers,
    /// The readers are read-only handles.
    read_only,
    /// The readers compare while the writer goes on.
    concurrent,
    /// How many different keys.
    keys,
    /// Which lengths and common beginnings the keys have.
    key_shape,
    /// The longest usual value in bytes.
    value_bytes,
    /// Deletes of ranges occur.
    ranges,
    /// How deep transactions nest.
    nesting,
    /// How much memory the filters for missing keys may take.
    filter_kib,
}

impl FromStr for Settings {
    type Err = String;

    /// What isn't mentioned is plain.
    fn from_str(text: &str) -> Result<Settings, String> {
        let mut settings = Settings {
            page_bytes: 1024,
            block_kib: 64,
            autoflush_kib: 64,
            autocheckpoint_kib: 512,
            automerge: 4,
            free_list: 24,
            log: 1,
            autowork: 1,
            keys: 20,
            ranges: 1,
            nesting: 1,
            filter_kib: 16_384,
            ..Settings::default()
        };
        for word in text.split_whitespace() {
            let bad = || format!("not a setting: {word}");
            let (name, value) = word.split_once('=').ok_or_else(bad)?;
            *settings.field(name).ok_or_else(bad)? = value.parse().map_err(|_| bad())?;
        }
        Ok(settings)
    }
}

/// What kind of histories is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub ranges: bool,
    /// Through the engine's own interface, which nests transactions.
    pub nested: bool,
}

impl Settings {
    pub fn draw(seed: u64, kind: Kind) -> Settings {
        let random = &mut Random::new(mix(seed));
        let page_bytes = random.pick(&[
            256, 256, 256, 512, 512, 512, 1024, 1024, 1024, 2048, 2048, 4096, 4096, 8192, 8192,
            16_384, 32_768, 65_536,
        ]);
        let least_block = (page_bytes * 8 / 1024).max(64);
        let large_page = page_bytes >= 8192;
        Settings {
            page_bytes,
            block_kib: least_block * random.pick(&[1, 1, 1, 2, 8]),
            autoflush_kib: match large_page {
                true => random.pick(&[16, 64, 64, 1024]),
                false => random.pick(&[0, 1, 1, 2, 2, 4, 8, 8, 16, 64, 1024]),
            },
            autocheckpoint_kib: random.pick(&[0, 64, 64, 128, 512, 2048]),
            automerge: 2 + random.below(5),
            free_list: random.pick(&[2, 3, 4, 24]),
            mmap: random.pick(&[0, 1, 32]),
            log: u32::from(!random.one_in(8)),
            multi_process: u32::from(random.one_in(4)),
            safety: random.below(3),
            background: match kind.nested {
                true => 0,
                false => random.pick(&[0, 0, 0, 0, 1, 2, 3]),
            },
            codec: match (kind.nested, kind.ranges) {
                (true, _) => random.below(2),
                (false, true) => random.pick(&[0, 1, 1, 2, 3, 3]),
                (false, false) => random.pick(&[0, 0, 0, 1, 2, 3]),
            },
            checksums: match kind.nested {
                true => 0,
                false => u32::from(random.one_in(4)),
            },
            autowork: u32::from(!random.one_in(8)),
            readers: random.below(4),
            read_only: u32::from(random.one_in(3)),
            concurrent: u32::from(random.one_in(3)),
            keys: random.pick(&[20, 60, 150, 400]),
            key_shape: random.below(4),
            value_bytes: random.pick(&[20, 60, 200, 1000, 3000]),
            ranges: u32::from(kind.ranges),
            nesting: if kind.nested { 4 } else { 1 },
            filter_kib: random.pick(&[0, 2, 64, 16_384, 16_384, 16_384]),
        }
    }

    /// The keys in ascending order; a history names them by their place.
    pub fn all_keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = (0..self.keys)
            .map(|n| {
                let text = format!("{n:05}").into_bytes();
                match (self.key_shape, n % 5) {
                    (0, _) => n.to_be_bytes()[2..].to_vec(),
                    (1, 0) => [vec![b'p'; 300], text].concat(),
                    (1, 1) => [b"prefix/".to_vec(), text].concat(),
                    // Longer than a small page.
                    (2, 0) => [text, vec![b'k'; 700]].concat(),
                    // One is the beginning of another.
                    (3, 0) => vec![b'a'; n as usize],
                    (3, 1) => [vec![b'a'; n as usize], vec![0]].concat(),
                    _ => text,
                }
            })
            .collect();
        keys.push(Vec::new());
        keys.sort();
        keys.dedup();
        keys
    }
}

/// The value that was written as the n-th, of so many bytes.
pub fn value(version: u32, len: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(len as usize + 8);
    let mut word = mix(u64::from(version) + 1);
    while out.len() < len as usize {
        out.extend_from_slice(&word.to_le_bytes());
        if version % 4 == 0 {
            word = mix(word); // Doesn't compress.
        }
    }
    out.truncate(len as usize);
    out
}
