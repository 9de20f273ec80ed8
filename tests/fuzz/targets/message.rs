//! Messages of failed invocations, as a queue or a file holds them: any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::messages::check(bytes));
