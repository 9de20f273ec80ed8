//! Layers of images: the input is a tar, or two, one over the other. Its last two bytes are where the
//! second one begins, in blocks. After most mutations the headers' checksums are right again.
#![no_main]

use std::sync::LazyLock;

use fuzz::{Sandbox, blocks};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(Sandbox::new);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if !seed.is_multiple_of(8) {
        blocks::repair(&mut data[..size]);
    }
    size
});

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((tars, blocks)) = input.split_last_chunk() else { return Corpus::Reject };
    if tars.is_empty() {
        return Corpus::Reject;
    }
    let first = usize::from(u16::from_le_bytes(*blocks)) * 512;
    let (lower, upper) = tars.split_at_checked(first).unwrap_or((tars, &[]));
    fuzz::layers(&SANDBOX, [lower, upper]);
    Corpus::Keep
});
