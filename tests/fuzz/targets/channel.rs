//! A framed log channel: any bytes, cut anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::telemetry::channel(bytes));
