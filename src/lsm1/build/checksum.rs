//! Which texts of lsm1 we accept, by their SHA-256.

/// The amalgamation in the package `lsmlite-rs` 0.2.2: SQLite's text with one word changed.
const CARRIER: &str = "6692a8ddc56a7ae5a115a16888d43205d2edf38b47c4d29f882dd91efbb15857";

/// What SQLite's own script makes of `ext/lsm1` at check-in ae2e7fc, without the virtual
/// table.
const UPSTREAM: &str = "b1fde6bca93196b99cac393749de9551290f41dc5c578b51e6a3a64991e1cbd1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    Carrier,
    Upstream,
}

/// Tells which edition `text` is, or returns its checksum if it is neither.
pub fn edition(text: &str) -> Result<Edition, String> {
    let digest = hmac_sha256::Hash::hash(text.as_bytes());
    let sum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    match sum.as_str() {
        CARRIER => Ok(Edition::Carrier),
        UPSTREAM => Ok(Edition::Upstream),
        _ => Err(sum),
    }
}
