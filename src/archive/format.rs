//! The records that an archive is made of, as bytes. The module's documentation has the format.

/// The format that is written.
pub(super) const VERSION: u8 = 2;

/// So much content is compressed at a time; what a reader of a single member unpacks at most.
pub(super) const GROUP_BYTES: usize = 256 * 1024;

/// No record unpacks to more, whatever it says of itself.
const MAX_GROUP_BYTES: usize = 64 << 20;
pub(super) const MAX_BLOCK_BYTES: usize = 64 << 20;

const MAGIC: &[u8] = b"lsmlite-archive";
/// The first of a record's key says what it is. The header is last: it has totals.
pub(super) const HEADER_KEY: &[u8] = b"z";
pub(super) const INDEX: u8 = b'i';
const GROUP: u8 = b'g';

pub(super) const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// What an archive says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) files: u64,
    pub(super) folders: u64,
    pub(super) links: u64,
    /// Content of all files, as if none were stored twice.
    pub(super) bytes: u64,
    /// Content that is stored, unpacked.
    pub(super) unique_bytes: u64,
    pub(super) groups: u64,
    pub(super) index_records: u64,
    /// BLAKE3 of the index: of each record the length of its key, key, length and value.
    pub(super) digest: [u8; 32],
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        for number in self.numbers() {
            put(&mut out, number);
        }
        out.extend(self.digest);
        out
    }

    fn numbers(&self) -> [u64; 7] {
        [
            self.files,
            self.folders,
            self.links,
            self.bytes,
            self.unique_bytes,
            self.groups,
            self.index_records,
        ]
    }

    /// `Err` with the version, if this isn't one that can be read; 0 if it is no header.
    pub(super) fn decode(value: &[u8]) -> Result<Header, u8> {
        let (&version, rest) = (value.strip_prefix(MAGIC))
            .and_then(<[u8]>::split_first)
            .ok_or(0)?;
        if version != VERSION {
            return Err(version);
        }
        let mut input = Input(rest);
        let read = |input: &mut Input<'_>| {
            Some(Header {
                files: input.number()?,
                folders: input.number()?,
                links: input.number()?,
                bytes: input.number()?,
                unique_bytes: input.number()?,
                groups: input.number()?,
                index_records: input.number()?,
                digest: input.take(32)?.try_into().ok()?,
            })
        };
        match read(&mut input) {
            Some(header) if input.0.is_empty() => Ok(header),
            _ => Err(0),
        }
    }
}

/// The key of a group of contents.
pub(super) fn group_key(group: u32) -> [u8; 5] {
    let [a, b, c, d] = group.to_be_bytes();
    [GROUP, a, b, c, d]
}

/// The key of the index block that begins with this path.
pub(super) fn index_key(path: &[u8]) -> Vec<u8> {
    [&[INDEX], path].concat()
}

/// Unpacked bytes as the value of a record.
pub(super) fn pack(
    raw: &[u8],
    compressor: &mut zstd::bulk::Compressor<'_>,
) -> std::io::Result<Vec<u8>> {
    let length = u32::try_from(raw.len()).map_err(std::io::Error::other)?;
    let mut out = vec![ZSTD];
    out.extend(length.to_be_bytes());
    let packed = compressor.compress(raw)?;
    if packed.len() < raw.len() {
        out.extend(packed);
    } else {
        out[0] = PLAIN;
        out.extend(raw);
    }
    Ok(out)
}

/// The reverse of [`pack`], into `out`.
///
/// # Errors
/// What is wrong with the record.
pub(super) fn unpack(
    value: &[u8],
    unpacker: &mut zstd::bulk::Decompressor<'_>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    unpack_up_to(value, unpacker, out, MAX_GROUP_BYTES)
}

pub(super) fn unpack_up_to(
    value: &[u8],
    unpacker: &mut zstd::bulk::Decompressor<'_>,
    out: &mut Vec<u8>,
    limit: usize,
) -> Result<(), String> {
    out.clear();
    let parts = value.split_first().and_then(|(&how, rest)| {
        let (length, packed) = rest.split_first_chunk()?;
        Some((how, u32::from_be_bytes(*length), packed))
    });
    let (how, length, packed) = parts.ok_or("it is shorter than its header")?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > limit {
        return Err(format!("it claims to unpack to {length} bytes"));
    }
    match how {
        PLAIN => out.extend(packed),
        ZSTD => {
            out.reserve(length);
            let done = unpacker.decompress_to_buffer(packed, out);
            done.map_err(|error| format!("it doesn't unpack: {error}"))?;
        }
        _ => return Err(format!("it is packed in an unknown way, {how}")),
    }
    match out.len() == length {
        true => Ok(()),
        false => Err(format!(
            "it unpacks to {} instead of {length} bytes",
            out.len()
        )),
    }
}

/// Adds a record of the index to the digest in the header.
pub(super) fn add_to_digest(digest: &mut blake3::Hasher, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}

/// Seven bits in a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend(bytes);
}

pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// What is left to read.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_a_newer_one_says_so() {
        let header = Header {
            files: 1,
            bytes: u64::MAX,
            digest: [7; 32],
            ..Header::default()
        };
        let mut value = header.encode();
        assert_eq!(Header::decode(&value), Ok(header));
        assert_eq!(Header::decode(&value[..value.len() - 1]), Err(0));
        value[MAGIC.len()] = 9;
        assert_eq!(Header::decode(&value), Err(9));
        assert_eq!(Header::decode(b"something else"), Err(0));
    }

    #[test]
    fn numbers_that_are_too_long_are_refused() {
        for bytes in [&[0xff; 10][..], &[0x80; 11], &[0xff, 0xff], &[]] {
            assert_eq!(Input(bytes).number(), None, "{bytes:?}");
        }
        let mut out = Vec::new();
        put(&mut out, u64::MAX);
        assert_eq!(Input(&out).number(), Some(u64::MAX));
        assert_eq!(unzigzag(zigzag(i64::MIN)), i64::MIN);
    }
}
