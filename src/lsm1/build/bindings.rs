//! Generates the Rust declarations of lsm1's public functions and constants.

use crate::compile::EXPORTED;
use std::fmt::Debug;
use std::fs;
use std::path::Path;

/// Gives each function its symbol's name in our library.
#[derive(Debug)]
struct Prefix;

impl bindgen::callbacks::ParseCallbacks for Prefix {
    fn generated_link_name_override(
        &self,
        item: bindgen::callbacks::ItemInfo<'_>,
    ) -> Option<String> {
        let ours = EXPORTED.contains(&item.name);
        ours.then(|| format!("lsmlite_{}", item.name))
    }
}

/// Writes `bindings.rs` into `out`.
pub fn generate(text: &str, lsm1: &Path, out: &Path) -> Result<(), String> {
    let mut header = header(text)?.to_owned();
    let extras = lsm1.join("extras.h");
    if extras.exists() {
        header.push_str("#include \"extras.h\"\n");
    }
    let rust = bindgen::RustTarget::stable(85, 0)
        .map_err(|error| format!("bindgen doesn't know Rust 1.85 ({error}); update it."))?;
    let bindings = bindgen::Builder::default()
        .header_contents("lsm.h", &header)
        .clang_arg(format!("-I{}", lsm1.display()))
        .allowlist_item("lsm_.*|LSM_.*|lsmlite_.*")
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .generate_comments(false)
        .layout_tests(false)
        .merge_extern_blocks(true)
        .use_core()
        .rust_target(rust)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .parse_callbacks(Box::new(Prefix))
        .disable_header_comment()
        .generate()
        .map_err(|error| {
            format!(
                "The bindings could not be generated: {error}\n\
                 bindgen needs libclang: install it and name its folder in LIBCLANG_PATH, or \
                 turn off the feature `buildtime-bindgen` to use the bindings that come with \
                 this crate."
            )
        })?;
    // bindgen marks an overridden name as exact; we want the platform's own decoration
    // (Apple's leading underscore), which the C compiler adds as well.
    let text = bindings.to_string().replace("\\u{1}", "");
    let path = out.join("bindings.rs");
    fs::write(&path, text)
        .map_err(|error| format!("{} can't be written ({error}).", path.display()))
}

/// The amalgamation's first section is lsm1's public header.
fn header(text: &str) -> Result<&str, String> {
    let section = text.split_once("#line 1 \"lsm.h\"\n").map(|(_, rest)| rest);
    let section = section.and_then(|rest| rest.split_once("#line 1 \"lsmInt.h\"\n"));
    section.map(|(header, _)| header).ok_or_else(|| {
        String::from("The patched lsm1 has no section lsm.h; a patch must not touch its #line.")
    })
}
