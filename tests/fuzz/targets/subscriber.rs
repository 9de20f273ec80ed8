//! What is kept for a subscriber: any lines.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::telemetry::subscriber(bytes));
