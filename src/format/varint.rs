//! Variable-length integers: small numbers take one byte, any 64-bit number at most nine.
//!
//! | first byte *a* | bytes | value |
//! |---|---|---|
//! | 0–240 | 1 | *a* |
//! | 241–248 | 2 | 240 + 256 × (*a* − 241) + the second |
//! | 249 | 3 | 2288 + the next two |
//! | 250–255 | *a* − 246 | the following bytes |

/// The number at the beginning of `bytes` and how many bytes it takes.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = len(first);
    let rest = bytes.get(1..len)?;
    let number = rest.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
    let value = match first {
        0..=240 => u64::from(first),
        241..=248 => 240 + 256 * (u64::from(first) - 241) + number,
        249 => 2288 + number,
        _ => number,
    };
    Some((value, len))
}

/// The length of a number that begins with this byte.
pub(super) fn len(first: u8) -> usize {
    match first {
        0..=240 => 1,
        241..=248 => 2,
        _ => usize::from(first) - 246,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_read_up_to_its_limit() {
        let cases: [(&[u8], u64); 9] = [
            (&[0], 0),
            (&[240], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67823),
            (&[250, 1, 8, 240], 67824),
            (&[252, 1, 0, 0, 0, 0], 1 << 32),
            (&[255, 255, 255, 255, 255, 255, 255, 255, 255], u64::MAX),
        ];
        for (bytes, value) in cases {
            assert_eq!(read(bytes), Some((value, bytes.len())), "{bytes:?}");
            assert_eq!(read(&bytes[..bytes.len() - 1]), None, "{bytes:?} cut");
        }
    }
}
