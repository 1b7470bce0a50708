//! The format of an archive: which records it is made of, and how a path becomes a key.
//!
//! | key | value |
//! |---|---|
//! | `a` | [`Header`]: format version, number of entries, digest of all entries |
//! | `c`, number of the file (u32), number of the chunk (u32) | up to 64 KiB of content |
//! | `e`, path | [`Entry`]: kind, mode, time; size and hash of a file, target of a link |
//!
//! Numbers are big-endian, so that key order is reading order. Paths are relative, their
//! parts separated by `/`, in the bytes that the file system has for them. Files are numbered
//! in the order of their paths: the same tree always gives the same records.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// The most bytes of content in one record.
pub const CHUNK: usize = 64 * 1024;

/// The key of the [`Header`].
pub const HEADER_KEY: &[u8] = b"a";

const MAGIC: &[u8] = b"lsmlite-archive";
const VERSION: u8 = 1;

/// What the archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many entries there are.
    pub entries: u64,
    /// BLAKE3 of all entry records, in order.
    pub digest: [u8; 32],
}

/// A file, folder or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative, with `/` between its parts; see [`to_path`].
    pub path: Vec<u8>,
    /// Permission bits; 0 where the platform has none.
    pub mode: u32,
    /// Last change, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is, and what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file; its content is in the chunks that have its number.
    File {
        /// Its number in chunk keys.
        number: u32,
        /// Its size in bytes.
        size: u64,
        /// BLAKE3 of its content.
        hash: [u8; 32],
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link {
        /// What it points to, as it was.
        target: Vec<u8>,
    },
}

impl Header {
    /// The record's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = MAGIC.to_vec();
        value.push(VERSION);
        value.extend(self.entries.to_be_bytes());
        value.extend(self.digest);
        value
    }

    /// Reads a value back; `None` if it isn't one of this format and version.
    pub fn decode(value: &[u8]) -> Option<Header> {
        let rest = value.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
        let (entries, rest) = rest.split_first_chunk()?;
        Some(Header {
            entries: u64::from_be_bytes(*entries),
            digest: rest.try_into().ok()?,
        })
    }
}

impl Entry {
    /// The record's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut value = vec![match self.kind {
            Kind::File { .. } => b'f',
            Kind::Folder => b'd',
            Kind::Link { .. } => b'l',
        }];
        value.extend(self.mode.to_be_bytes());
        value.extend(self.modified_ns.to_be_bytes());
        match &self.kind {
            Kind::File { number, size, hash } => {
                value.extend(number.to_be_bytes());
                value.extend(size.to_be_bytes());
                value.extend(hash);
            }
            Kind::Folder => {}
            Kind::Link { target } => value.extend(target),
        }
        value
    }

    /// Reads a record back; `None` if it isn't an entry.
    pub fn decode(key: &[u8], value: &[u8]) -> Option<Entry> {
        let path = key.strip_prefix(b"e")?.to_vec();
        let (kind, rest) = value.split_first()?;
        let (mode, rest) = rest.split_first_chunk()?;
        let (modified_ns, rest) = rest.split_first_chunk()?;
        let kind = match kind {
            b'f' => {
                let (number, rest) = rest.split_first_chunk()?;
                let (size, hash) = rest.split_first_chunk()?;
                Kind::File {
                    number: u32::from_be_bytes(*number),
                    size: u64::from_be_bytes(*size),
                    hash: hash.try_into().ok()?,
                }
            }
            b'd' if rest.is_empty() => Kind::Folder,
            b'l' => Kind::Link {
                target: rest.to_vec(),
            },
            _ => return None,
        };
        Some(Entry {
            path,
            mode: u32::from_be_bytes(*mode),
            modified_ns: i64::from_be_bytes(*modified_ns),
            kind,
        })
    }
}

/// The key of an entry.
pub fn entry_key(path: &[u8]) -> Vec<u8> {
    [b"e", path].concat()
}

/// The key of a chunk of content.
pub fn chunk_key(number: u32, chunk: u32) -> [u8; 9] {
    let mut key = [b'c'; 9];
    key[1..5].copy_from_slice(&number.to_be_bytes());
    key[5..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// A relative path as an archive stores it; `None` if it isn't plainly relative, or has a
/// name that the platform can't give us as bytes.
pub fn from_path(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in path.components() {
        let Component::Normal(name) = part else {
            return None;
        };
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend(name_bytes(name)?);
    }
    (!bytes.is_empty()).then_some(bytes)
}

/// The reverse. `None` unless the path stays below the folder it is joined to: `..`, `.`,
/// empty parts, roots, drives and nul bytes are refused.
pub fn to_path(bytes: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in bytes.split(|&byte| byte == b'/') {
        let name = bytes_name(part)?;
        let mut components = Path::new(&name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(only)), None) if only == name && !part.contains(&0) => {
                path.push(only);
            }
            _ => return None,
        }
    }
    Some(path)
}

#[cfg(unix)]
pub fn name_bytes(name: &OsStr) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt;
    Some(name.as_bytes())
}
#[cfg(not(unix))]
pub fn name_bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}

#[cfg(unix)]
pub fn bytes_name(bytes: &[u8]) -> Option<&OsStr> {
    use std::os::unix::ffi::OsStrExt;
    Some(OsStr::from_bytes(bytes))
}
#[cfg(not(unix))]
pub fn bytes_name(bytes: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(bytes).ok().map(OsStr::new)
}

/// Adds an entry's record to the digest in the [`Header`].
pub fn add_to_digest(digest: &mut blake3::Hasher, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}
