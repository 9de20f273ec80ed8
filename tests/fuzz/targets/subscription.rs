//! Subscriptions to telemetry: any body.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::telemetry::subscription(bytes));
