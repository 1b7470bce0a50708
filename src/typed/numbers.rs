//! Keys that are numbers, `bool` and `char`.

use super::error::EncodingError;
use super::key::{Key, take};

/// A key of fixed size that is looked up by itself: the bits to store, and back.
macro_rules! fixed {
    ($type:ty, $value:ident => $to:expr, $bytes:ident => $from:expr) => {
        impl Key for $type {
            type Ref<'a> = $type;

            fn by_ref(&self) -> $type {
                *self
            }

            fn encode($value: $type, out: &mut Vec<u8>) {
                out.extend_from_slice(&$to);
            }

            fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
                let $bytes = take(input, stringify!($type))?;
                $from
            }
        }
    };
}

macro_rules! unsigned {
    ($($type:ty)*) => {$(
        fixed!($type, value => value.to_be_bytes(), bytes => Ok(<$type>::from_be_bytes(bytes)));
    )*};
}

/// With the sign bit flipped, negative numbers come before positive ones.
macro_rules! signed {
    ($($type:ty)*) => {$(
        fixed!(
            $type,
            value => (value ^ <$type>::MIN).to_be_bytes(),
            bytes => Ok(<$type>::from_be_bytes(bytes) ^ <$type>::MIN)
        );
    )*};
}

/// Positive floats have the order of their bits, negative ones the reverse.
macro_rules! float {
    ($($type:ty, $bits:ty;)*) => {$(
        fixed!(
            $type,
            value => {
                let bits = value.to_bits();
                let sign = 1 << (<$bits>::BITS - 1);
                let ordered: $bits = if bits & sign == 0 { bits ^ sign } else { !bits };
                ordered.to_be_bytes()
            },
            bytes => {
                let ordered = <$bits>::from_be_bytes(bytes);
                let sign = 1 << (<$bits>::BITS - 1);
                let bits = if ordered & sign == 0 { !ordered } else { ordered ^ sign };
                Ok(<$type>::from_bits(bits))
            }
        );
    )*};
}

unsigned!(u8 u16 u32 u64 u128);
signed!(i8 i16 i32 i64 i128);
float!(f32, u32; f64, u64;);

fixed!(bool, value => [u8::from(value)], bytes => match bytes {
    [0] => Ok(false),
    [1] => Ok(true),
    [other] => Err(EncodingError::new(format!("{other} isn't a bool"))),
});

fixed!(char, value => u32::from(value).to_be_bytes(), bytes => {
    let number = u32::from_be_bytes(bytes);
    char::from_u32(number)
        .ok_or_else(|| EncodingError::new(format!("{number:#x} isn't a char")))
});
