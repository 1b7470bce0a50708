//! Random keys of every type, with the order that they should have.

use std::cmp::{Ordering, Reverse};
use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lsmlite_rs::typed::Key;

use crate::common::SplitMix64;

pub trait Sample: Key + Clone + Debug {
    /// A key; extreme ones, and ones that resemble each other, often.
    fn random(rng: &mut SplitMix64) -> Self;

    fn order(&self, other: &Self) -> Ordering;
}

/// A key of a `BTreeMap`, in the order of its sample; floats have none in std.
#[derive(Clone, Debug)]
pub struct Ordered<K>(pub K);

impl<K: Sample> Ord for Ordered<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}

impl<K: Sample> PartialOrd for Ordered<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Sample> PartialEq for Ordered<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Sample> Eq for Ordered<K> {}

/// Bits with few or many of them set, near both ends and around powers of two.
fn bits(rng: &mut SplitMix64) -> u128 {
    let any = u128::from(rng.next()) << 64 | u128::from(rng.next());
    match rng.below(5) {
        0 => u128::from(rng.below(4)),
        1 => u128::MAX - u128::from(rng.below(4)),
        2 => (1u128 << rng.below(128))
            .wrapping_add(u128::from(rng.below(3)))
            .wrapping_sub(1),
        3 => any >> rng.below(128),
        _ => any,
    }
}

macro_rules! integer {
    ($($type:ty)*) => {$(
        impl Sample for $type {
            fn random(rng: &mut SplitMix64) -> Self {
                bits(rng) as $type
            }

            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }
        }
    )*};
}

integer!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

macro_rules! float {
    ($($type:ident $bits:ty;)*) => {$(
        impl Sample for $type {
            fn random(rng: &mut SplitMix64) -> Self {
                match rng.below(4) {
                    0 => rng.pick(&[
                        0.0, -0.0, 1.0, -1.0, $type::MAX, $type::MIN, $type::MIN_POSITIVE,
                        $type::INFINITY, $type::NEG_INFINITY, $type::NAN, -$type::NAN,
                    ]),
                    1 => (rng.below(2000) as $type - 1000.0) / 8.0,
                    _ => $type::from_bits(bits(rng) as $bits),
                }
            }

            fn order(&self, other: &Self) -> Ordering {
                self.total_cmp(other)
            }
        }
    )*};
}

float!(f32 u32; f64 u64;);

impl Sample for bool {
    fn random(rng: &mut SplitMix64) -> Self {
        rng.one_in(2)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Sample for char {
    fn random(rng: &mut SplitMix64) -> Self {
        char::from_u32(bits(rng) as u32 % 0x11_0000).unwrap_or('é')
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Sample for String {
    fn random(rng: &mut SplitMix64) -> Self {
        let len = rng.below(5);
        let letters = ['\0', '\u{1}', 'a', 'b', '~', '\u{ff}', '\u{10ffff}'];
        (0..len).map(|_| rng.pick(&letters)).collect()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Sample for Vec<u8> {
    fn random(rng: &mut SplitMix64) -> Self {
        let len = rng.below(5);
        (0..len)
            .map(|_| rng.pick(&[0, 1, 2, 0x7f, 0xfe, 0xff]))
            .collect()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl<const N: usize> Sample for [u8; N] {
    fn random(rng: &mut SplitMix64) -> Self {
        std::array::from_fn(|_| rng.pick(&[0, 1, 0xfe, 0xff]))
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Sample for Duration {
    fn random(rng: &mut SplitMix64) -> Self {
        Duration::new(u64::random(rng), u32::random(rng) % 1_000_000_000)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Sample for SystemTime {
    fn random(rng: &mut SplitMix64) -> Self {
        let seconds = match rng.below(3) {
            0 => rng.below(3),
            1 => rng.below(1 << 33),
            _ => rng.below(1 << 62),
        };
        let nanos = rng.pick(&[0, 1, 100, 999_999_900, 999_999_999]);
        let distance = Duration::new(seconds, nanos);
        let before = rng.one_in(2);
        let time = if before {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(UNIX_EPOCH)
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl<T: Sample> Sample for Option<T> {
    fn random(rng: &mut SplitMix64) -> Self {
        (!rng.one_in(4)).then(|| T::random(rng))
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Some(a), Some(b)) => a.order(b),
            _ => self.is_some().cmp(&other.is_some()),
        }
    }
}

impl<T: Sample> Sample for Reverse<T> {
    fn random(rng: &mut SplitMix64) -> Self {
        Reverse(T::random(rng))
    }

    fn order(&self, other: &Self) -> Ordering {
        other.0.order(&self.0)
    }
}

macro_rules! tuple {
    ($($part:ident $n:tt),*) => {
        impl<$($part: Sample),*> Sample for ($($part,)*) {
            fn random(rng: &mut SplitMix64) -> Self {
                ($($part::random(rng),)*)
            }

            fn order(&self, other: &Self) -> Ordering {
                Ordering::Equal$(.then_with(|| self.$n.order(&other.$n)))*
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);

/// Calls `$test::<K>(seed)` for every kind of key.
#[macro_export]
macro_rules! for_every_key {
    ($test:ident) => {
        $crate::for_every_key!($test:
            u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, bool, char,
            String, Vec<u8>, [u8; 3], Duration, SystemTime,
            Option<i16>, Option<String>, Option<Option<u8>>,
            Reverse<u32>, Reverse<f64>, Reverse<String>, Reverse<Reverse<Vec<u8>>>,
            Reverse<Option<i8>>, Option<Reverse<bool>>,
            (String, u8), (Vec<u8>, Vec<u8>), (Reverse<String>, String), (bool, f32),
            (u8, (String, bool)), (String, Option<String>, i8), (Vec<u8>, bool, Vec<u8>, u8),
            (SystemTime, String, Reverse<u16>, bool, [u8; 2]),
            (bool, String, Option<bool>, Vec<u8>, Reverse<Vec<u8>>, u8)
        )
    };
    ($test:ident: $($key:ty),*) => {
        for (n, test) in [$($test::<$key> as fn(u64) -> $crate::common::Result),*].into_iter().enumerate() {
            test(n as u64)?;
        }
    };
}
