#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lsmlite_fuzz::history::run(bytes));
