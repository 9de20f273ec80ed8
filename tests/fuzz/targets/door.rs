//! Requests at the front door: any method, path and headers.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::door::request(bytes));
