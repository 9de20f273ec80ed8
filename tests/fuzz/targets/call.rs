//! Calls of runtimes and extensions, headers, bodies and trailers: each is a call or has its place in a
//! table of refusals.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::api::call(bytes));
