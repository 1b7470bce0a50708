//! Colours of terminals.

use lsmlite_rs::inspect::Owner;

/// How many colours there are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Paint {
    /// None: letters instead.
    Letters,
    Sixteen,
    TwoHundredFiftySix,
    All,
}

/// For segments in turn: red, green and blue, and the nearest of the sixteen. In the middle between
/// dark and light, so that they can be seen on either.
const HUES: [([u8; 3], u8); 8] = [
    ([0x3a, 0x7f, 0xd5], 4),
    ([0xe0, 0x82, 0x14], 3),
    ([0x1b, 0x9e, 0x77], 2),
    ([0xa8, 0x62, 0xc8], 5),
    ([0x45, 0xb0, 0xd8], 6),
    ([0xd6, 0x60, 0x9a], 12),
    ([0x9a, 0x9a, 0x1c], 11),
    ([0xa6, 0x70, 0x4a], 13),
];
const HEADER: ([u8; 3], u8) = ([0x80, 0x86, 0x8f], 8);
const UNLISTED: ([u8; 3], u8) = ([0xe0, 0x30, 0x28], 1);
pub const LOG: ([u8; 3], u8) = ([0x1b, 0x9e, 0x77], 2);

impl Paint {
    /// What the terminal says of itself.
    pub fn of(colors: bool) -> Paint {
        let has = |name: &str, words: &[&str]| {
            std::env::var(name).is_ok_and(|value| words.iter().any(|word| value.contains(word)))
        };
        match colors {
            false => Paint::Letters,
            true if has("COLORTERM", &["truecolor", "24bit"]) => Paint::All,
            true if has("TERM", &["direct"]) => Paint::All,
            true if has("TERM", &["256"]) => Paint::TwoHundredFiftySix,
            true => Paint::Sixteen,
        }
    }

    /// The number for a letter on a colour: black, but for those of the sixteen that are often dark.
    pub fn ink(self, (_, sixteen): ([u8; 3], u8)) -> u8 {
        match sixteen {
            1 | 4 | 8 | 12 if self == Paint::Sixteen => 97,
            _ => 30,
        }
    }

    /// The numbers of a colour in an escape sequence, for what is written or for its background.
    pub fn code(self, (rgb, sixteen): ([u8; 3], u8), background: bool) -> String {
        let plane = if background { 10 } else { 0 };
        match self {
            Paint::Letters => String::new(),
            Paint::Sixteen if sixteen < 8 => (30 + plane + sixteen).to_string(),
            Paint::Sixteen => (90 + plane + sixteen - 8).to_string(),
            Paint::TwoHundredFiftySix => format!("{};5;{}", 38 + plane, cube(rgb)),
            Paint::All => format!("{};2;{};{};{}", 38 + plane, rgb[0], rgb[1], rgb[2]),
        }
    }
}

/// The nearest colour of the six times six times six that follow the sixteen.
fn cube(rgb: [u8; 3]) -> u8 {
    let [red, green, blue] = rgb.map(|part| match part {
        0..48 => 0,
        48..115 => 1,
        _ => (part - 35) / 40,
    });
    16 + 36 * red + 6 * green + blue
}

/// The colour of an owner; `None`: it is shown as empty.
pub fn color(owner: Owner) -> Option<([u8; 3], u8)> {
    match owner {
        Owner::Segment(n) => Some(HUES[n % HUES.len()]),
        Owner::HeaderPages => Some(HEADER),
        Owner::Unlisted => Some(UNLISTED),
        _ => None,
    }
}
