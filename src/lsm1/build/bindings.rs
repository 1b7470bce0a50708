//! Generates the Rust declarations of lsm1's public functions and constants.

use super::compile::EXPORTED;
use super::{rerun_if_changed, write};
use bindgen::callbacks::{ItemInfo, ParseCallbacks};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

/// Gives each function the name that its symbol has in our library.
#[derive(Debug)]
struct Prefix;

impl ParseCallbacks for Prefix {
    fn generated_link_name_override(&self, item: ItemInfo<'_>) -> Option<String> {
        let ours = EXPORTED.contains(&item.name);
        ours.then(|| format!("lsmlite_{}", item.name))
    }
}

/// Writes `bindings.rs` into `out`: lsm1's public header, and ours if there is one.
pub fn generate(text: &str, lsm1: &Path, out: &Path) -> Result<(), String> {
    let mut header = header(text)?.to_owned();
    let extras = lsm1.join("extras.h");
    if extras.exists() {
        rerun_if_changed(&extras);
        header.push_str("#include \"extras.h\"\n");
    }
    let rust = bindgen::RustTarget::stable(85, 0)
        .map_err(|error| format!("bindgen doesn't know Rust 1.85 ({error}); update bindgen."))?;
    let builder = bindgen::Builder::default()
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
        .disable_header_comment();

    // Without libclang, bindgen panics: keep that quiet and say what to do instead.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let generated = panic::catch_unwind(AssertUnwindSafe(|| builder.generate()));
    panic::set_hook(hook);
    let problem = match generated {
        Ok(Ok(bindings)) => {
            // bindgen marks an overridden name as exact; we want the platform's own
            // decoration (Apple's leading underscore), which the C compiler adds as well.
            let text = bindings.to_string().replace("\\u{1}", "");
            return write(&out.join("bindings.rs"), &text);
        }
        Ok(Err(error)) => error.to_string(),
        Err(panic) => match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(_) => String::from("bindgen panicked"),
        },
    };
    Err(format!(
        "The bindings could not be generated: {problem}\n\
         bindgen needs libclang: install it, or name its folder in LIBCLANG_PATH, or turn off \
         the feature `buildtime-bindgen` to use the bindings that come with this crate."
    ))
}

/// The amalgamation's first section is lsm1's public header.
fn header(text: &str) -> Result<&str, String> {
    let section = text.split_once("#line 1 \"lsm.h\"\n");
    let section = section.and_then(|(_, rest)| rest.split_once("#line 1 \"lsmInt.h\"\n"));
    section.map(|(header, _)| header).ok_or_else(|| {
        String::from("The patched lsm1 has lost its section lsm.h; no patch may touch its #line.")
    })
}
