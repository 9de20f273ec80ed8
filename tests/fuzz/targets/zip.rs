//! Whole packages: real ones and hostile ones, mutated, and after most mutations made plausible again.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Sandbox, repair};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(Sandbox::new);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if !seed.is_multiple_of(4) {
        repair::layout(&mut data[..size]);
    }
    if seed % 4 > 1 {
        repair::checksums(&mut data[..size]);
    }
    size
});

fuzz_target!(|package: &[u8]| fuzz::zip(&SANDBOX, package));
